"""Reads the files of serve/deploy, as the programs that use them would."""

import re
import shlex
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "voice_kit" / "serve" / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
RAY = DEPLOY / "kubernetes-ray"
TERRAFORM = DEPLOY / "terraform"


def text(name):
    return (DEPLOY / name).read_text(encoding="utf-8")


def files():
    found = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()]
    found = [path for path in found if ".terraform" not in path.parts]
    assert len(found) >= 20, "the files to deploy with were not found"
    return found


def compose(name="compose.yaml"):
    return yaml.safe_load(text(name))


def resources(folder):
    """The files of a folder that its kustomization names."""
    named = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    return [folder / name for name in named if not name.startswith("../")]


def objects(kind=None):
    """Every Kubernetes object, of all files or of a kind."""
    found = [
        each
        for path in (*resources(KUBERNETES), *resources(RAY))
        for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
    assert len(found) >= 15
    return [each for each in found if kind in (None, each["kind"])]


def one(kind, name="gateway"):
    (found,) = [each for each in objects(kind) if each["metadata"]["name"] == name]
    return found


def pods():
    """Each pod's labels and spec, of every object that makes some."""
    for each in objects():
        spec = each.get("spec", {})
        if each["kind"] in {"Deployment", "StatefulSet"}:
            yield spec["template"]["metadata"]["labels"], spec["template"]["spec"]
        if each["kind"] == "RayService":
            cluster = spec["rayClusterConfig"]
            for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
                yield group["template"]["metadata"]["labels"], group["template"]["spec"]


def dockerfile():
    """Each instruction and its words, in order, with continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", text("Dockerfile"), flags=re.M))
    lines = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(word.upper(), rest) for word, rest in lines]


def stages():
    """The Dockerfile's stages: the image each begins with, and its instructions."""
    found = []
    for word, rest in dockerfile():
        if word == "FROM":
            found.append((rest.split()[0], []))
        elif found:
            found[-1][1].append((word, rest))
    return found


def copied(instructions):
    """What a stage copies from the checkout, and where to."""
    for word, rest in instructions:
        words = [each for each in shlex.split(rest) if not each.startswith("--")]
        if word == "COPY" and "--from=" not in rest:
            yield from ((source, words[-1]) for source in words[:-1])


def image_env():
    found = {}
    for word, rest in stages()[-1][1]:
        if word == "ENV":
            found |= dict(pair.split("=", 1) for pair in shlex.split(rest))
    return found


def environments():
    """Every variable that some file gives to the gateway, with its value, and where that is."""
    yield from (("Dockerfile", name, value) for name, value in image_env().items())
    for name in ("compose.yaml", "compose.gpu.yaml", "compose.swarm.yaml"):
        for key, value in compose(name)["services"]["gateway"].get("environment", {}).items():
            yield name, key, value
    for each in objects("ConfigMap"):
        for key, value in each["data"].items():
            yield f"ConfigMap {each['metadata']['name']}", key, value
    for labels, spec in pods():
        for container in spec["containers"]:
            for variable in container.get("env", []):
                yield f"pod {labels}", variable["name"], variable.get("value", "")


def default_of(value):
    """A value of compose.yaml as it is when no variable is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))


def images():
    """Every image that is named anywhere, and where."""
    for image, _ in stages():
        yield "Dockerfile", image
    for name, service in compose()["services"].items():
        yield f"compose.yaml, {name}", default_of(service["image"])
    for labels, spec in pods():
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            yield f"pod {labels}", container["image"]


def rendered(template, values):
    """What Terraform's templatefile() makes of a text with plain names in it."""
    return re.sub(r"(?<!\$)\$\{(\w+)\}", lambda found: values[found[1]], template)
