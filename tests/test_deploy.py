"""Whatever can be said of a deployment without an engine to run it: it agrees with the package."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import tomllib
import zipfile
from fnmatch import fnmatch
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
import yaml
from helpers_deploy import (
    DEPLOY,
    KUBERNETES,
    RAY,
    ROOT,
    TERRAFORM,
    compose,
    copied,
    default_of,
    environments,
    files,
    image_env,
    images,
    objects,
    one,
    pods,
    rendered,
    resources,
    stages,
    text,
)

from voice_kit.serve.config import PREFIX as SERVE
from voice_kit.serve.config import Serve, load_serve
from voice_kit.settings import NOT_SETTINGS, PREFIX, Settings, load_settings

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OURS = f"voice-kit:{PROJECT['version']}"
PORT = Serve().port
KUBERNETES_VERSION = "1.33"
FOREIGN = {"PATH", "HOME", "HF_HOME", "OLLAMA_HOST"} | {
    "MPLCONFIGDIR",
    "LD_LIBRARY_PATH",
    "OLLAMA_MODELS",
    "OLLAMA_KEEP_ALIVE",
    "OLLAMA_NUM_PARALLEL",
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED",
}
"""Variables that others than we read."""


def program(name):
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name} here")
    return name


# The settings


def every_route():
    from voice_kit.serve.app import create_app

    here = list(create_app().routes)
    while here:
        route = here.pop()
        here += getattr(getattr(route, "original_router", None), "routes", [])
        yield route


def routes():
    return {getattr(route, "path", "") for route in every_route()}


def test_every_variable_is_a_setting_and_its_value_is_allowed(monkeypatch):
    found = list(environments())
    assert len(found) > 20
    for where, name, value in found:
        if not name.startswith(PREFIX):
            assert name in FOREIGN, f"{where}: nobody reads {name}"
            continue
        if name in NOT_SETTINGS:
            continue
        with monkeypatch.context() as alone:
            alone.setenv(name, default_of(value))
            (load_serve if name.startswith(SERVE) else load_settings)()


def test_every_secret_is_a_setting_or_named_by_who_reads_it():
    secrets = compose()["secrets"]
    assert len(secrets) >= 4
    for name in secrets:
        readers = [
            service
            for service in compose()["services"].values()
            if name in service.get("secrets", [])
        ]
        assert readers, f"nobody is given {name}"
        if name.startswith("voice_kit_"):
            assert name.removeprefix(SERVE.lower()) in Serve.model_fields, name
        else:
            told = json.dumps(readers) + text("prometheus.yml")
            assert f"/run/secrets/{name}" in told, f"nobody reads {name}"


def test_every_port_of_ours_is_the_one_the_gateway_listens_on():
    assert image_env()["VOICE_KIT_SERVE_PORT"] == str(PORT)
    assert ("EXPOSE", str(PORT)) in stages()[-1][1]
    assert compose()["services"]["gateway"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    (swarm,) = compose("compose.swarm.yaml")["services"]["gateway"]["ports"]
    assert swarm == {"target": PORT, "published": PORT, "mode": "host"}
    pod = one("Deployment")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": PORT}]
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(PORT)
    (service,) = one("Service")["spec"]["ports"]
    assert service["targetPort"] == "http"
    for path in ingress():
        assert path["backend"]["service"]["port"]["name"] == service["name"]
    (scraped,) = yaml.safe_load(text("prometheus.yml"))["scrape_configs"]
    assert scraped["dns_sd_configs"][0]["port"] == PORT
    assert f"server 127.0.0.1:{PORT};" in text("nginx.conf")


def test_every_path_that_is_asked_for_is_a_route():
    asked = set(re.findall(r"location (?:= )?(/\S*) \{", text("nginx.conf")))
    asked -= {"/", "/.well-known/acme-challenge/"}
    (container,) = one("Deployment")["spec"]["template"]["spec"]["containers"]
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")]
    assert [probe["path"] for probe in probes] == ["/health", "/ready", "/health"]
    assert {probe["port"] for probe in probes} == {"http"}
    asked |= {probe["path"] for probe in probes}
    (check,) = [rest for word, rest in stages()[-1][1] if word == "HEALTHCHECK"]
    asked |= set(re.findall(rf":{PORT}(/\w+)", check))
    asked |= {yaml.safe_load(text("prometheus.yml"))["scrape_configs"][0]["metrics_path"]}
    annotations = one("Deployment")["spec"]["template"]["metadata"]["annotations"]
    asked |= {annotations["prometheus.io/path"]}
    assert {"/health", "/ready", "/metrics", "/v1/realtime"} <= asked
    pytest.importorskip("voice_kit.serve.app")
    assert asked <= routes()


def test_whoever_stops_a_gateway_waits_until_it_has_drained():
    drains = float(compose()["services"]["gateway"]["environment"]["VOICE_KIT_SERVE_DRAIN_SECONDS"])
    grace = compose()["services"]["gateway"]["stop_grace_period"]
    assert float(grace.removesuffix("s")) >= drains + 10
    drains = float(one("ConfigMap")["data"]["VOICE_KIT_SERVE_DRAIN_SECONDS"])
    spec = one("Deployment")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    command, before = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    assert spec["terminationGracePeriodSeconds"] >= float(before) + drains + 10


# Docker


def test_every_image_is_pinned_to_a_version():
    found = list(images())
    assert len(found) >= 8
    for where, image in found:
        assert re.search(r":v?\d+\.\d+[.\d]*[\w.-]*$", image), f"{where}: {image} is of any version"
        if "voice-kit" in image:
            assert image == OURS, where
    for folder in (KUBERNETES, RAY):
        (ours,) = yaml.safe_load((folder / "kustomization.yaml").read_text())["images"]
        assert f"{ours['name']}:{ours['newTag']}" == OURS


def ignored(path):
    """What Dockerfile.dockerignore leaves out; the last line that fits decides."""
    out = False
    for line in text("Dockerfile.dockerignore").splitlines():
        pattern = line.removeprefix("!")
        if not line or line.startswith("#"):
            continue
        inner = pattern.removeprefix("**/")
        parts = Path(path).parts
        fits = (
            any(fnmatch(part, inner) for part in parts)
            if pattern.startswith("**/")
            else pattern == "*" or parts[0] == pattern
        )
        out = not line.startswith("!") if fits else out
    return out


def test_the_image_gets_everything_that_the_wheel_needs(tmp_path):
    context, built = tmp_path / "src", tmp_path / "built"
    for source, _ in copied(stages()[0][1]):
        origin = ROOT / source
        assert origin.exists(), f"the Dockerfile copies {source}, which is not there"
        found = (
            [path for path in origin.rglob("*") if path.is_file()] if origin.is_dir() else [origin]
        )
        for path in found:
            if not ignored(path.relative_to(ROOT)):
                target = context / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    builder = pytest.importorskip("hatchling.builders.wheel")
    (wheel,) = builder.WheelBuilder(str(context)).build(directory=str(built), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in packed)
    listed = subprocess.run(
        ["git", "ls-files", "voice_kit"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    if not listed:
        pytest.skip("this is no git checkout: what belongs to the package is not known")
    assert packed >= {name for name in listed if (ROOT / name).exists()}


def test_what_the_last_stage_copies_is_there_and_not_ignored():
    for _, instructions in stages():
        for source, _ in copied(instructions):
            assert (ROOT / source).exists(), source
            assert not ignored(source), source
    assert ignored("notebooks/build.py") and ignored(".git/config")
    assert ignored("voice_kit/serve/deploy/terraform/terraform.tfstate")


def test_the_image_runs_as_nobody_special_and_builds_nothing():
    _, last = stages()[-1]
    users = [rest for word, rest in last if word == "USER"]
    assert users == ["10001:10001"]
    runs = " ".join(rest for word, rest in last if word == "RUN")
    assert "--uid 10001" in runs and "--gid 10001" in runs and "pip uninstall" in runs
    assert not re.search(r"apt-get|pip install|gcc|git ", runs)
    assert [rest for word, rest in last if word == "VOLUME"] == [image_env()["VOICE_KIT_HOME"]]
    assert image_env()["HF_HOME"].startswith(image_env()["VOICE_KIT_HOME"])


def test_what_the_image_installs_is_pinned_and_exists():
    _, instructions = stages()[1]
    given, more = [rest for word, rest in instructions if word == "ARG"]
    assert more == "MORE="
    extras = set(given.removeprefix("EXTRAS=").split(","))
    assert {"serve", "redis", "ray"} <= extras <= set(PROJECT["optional-dependencies"])
    for _, stage in stages():
        for word, rest in stage:
            if word == "RUN" and re.search(r"\bpip\b.* install .*(voice-kit|hatchling)", rest):
                assert "-c constraints.txt" in rest, rest


def test_secrets_in_files_become_settings(tmp_path):
    (tmp_path / "voice_kit_serve_secret").write_text("s" * 40 + "\n")
    (tmp_path / "grafana_password").write_text("not ours")
    done = subprocess.run(
        ["sh", DEPLOY / "with-secrets", "sh", "-c", "env; exit 3"],
        env={"PATH": os.environ["PATH"], "SECRETS_FOLDER": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert f"VOICE_KIT_SERVE_SECRET={'s' * 40}\n" in done.stdout
    assert "not ours" not in done.stdout


def test_made_secrets_are_accepted_kept_and_for_their_owner_alone(tmp_path):
    program("openssl")
    from voice_kit.serve.doors import Doors

    folder = tmp_path / "secrets"
    for _ in range(2):
        subprocess.run(["sh", DEPLOY / "make-secrets", folder], check=True, capture_output=True)
        made = {path.name: path.read_text() for path in folder.iterdir()}
        if "first" not in locals():
            first = made
    assert made == first, "a second run made others"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert set(made) == set(compose()["secrets"])
    assert made["voice_kit_serve_redis"] == f"redis://:{made['redis_password']}@redis:6379/0"
    serve = Serve(host="0.0.0.0", sign_in="jwt", secret=made["voice_kit_serve_secret"])
    assert Doors(serve).admit(made["metrics_token"]).subject == "prometheus"


@pytest.mark.parametrize("name", ["compose.yaml", "compose.swarm.yaml", "compose.gpu.yaml"])
def test_compose_files_follow_the_specification(name):
    checking = pytest.importorskip("check_jsonschema", reason="pip install check-jsonschema")
    schema = Path(checking.__file__).parent / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema = pytest.importorskip("jsonschema")
    specification = json.loads(schema.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(specification).validate(compose(name))


def test_what_compose_refers_to_is_there():
    whole = compose()
    for kind in ("networks", "volumes", "secrets", "configs"):
        used = set()
        for service in whole["services"].values():
            for each in service.get(kind, []):
                used.add(each["source"] if isinstance(each, dict) else each.split(":")[0])
        assert used == set(whole[kind]), kind
    for service in whole["services"].values():
        assert set(service.get("depends_on", [])) <= set(whole["services"])
        assert not any(port.startswith("0.0.0.0") for port in service.get("ports", []))
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    for config in whole["configs"].values():
        assert (DEPLOY / config["file"]).is_file(), config
    build = whole["services"]["gateway"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()
    assert whole["networks"]["inside"]["internal"], "Redis could be reached from elsewhere"
    assert whole["services"]["redis"]["networks"] == ["inside"]


@pytest.mark.parametrize("overlay", [None, "compose.swarm.yaml"])
def test_compose_files_are_a_stack_too(overlay):
    command = [program("docker"), "stack", "config", "-c", DEPLOY / "compose.yaml"]
    command += ["-c", DEPLOY / overlay] if overlay else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    merged = yaml.safe_load(done.stdout)["services"]["gateway"]
    assert merged["deploy"]["replicas"] == (2 if overlay else 1)
    (port,) = merged["ports"]
    assert port["mode"] == ("host" if overlay else "ingress")


# What is measured


def metrics():
    """Every name that /metrics shows, with the labels it has."""
    from voice_kit.serve.metrics import Metrics

    made = Metrics()
    made.refused("nobody")
    made.waited("http", 0.0)
    found = {}
    for family in made.registry.collect():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
        if family.type in {"counter", "histogram"}:
            suffixes = ["_total"] if family.type == "counter" else ["_bucket", "_sum", "_count"]
            for suffix in suffixes:
                found.setdefault(family.name + suffix, set())
    for name, labels in declared(made).items():
        for known in found:
            if known.removesuffix("_total").removesuffix("_bucket") == name:
                found[known] |= labels
    assert len(found) > 20
    return found


def declared(made):
    collectors = set(made.registry._names_to_collectors.values())
    return {
        each._name: set(each._labelnames) for each in collectors if hasattr(each, "_labelnames")
    }


def test_the_dashboard_shows_only_what_is_measured():
    known = metrics()
    board = json.loads(text("grafana/voice-kit.json"))
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(board["panels"]) >= 10
    shown = set()
    for expression in expressions:
        names = set(re.findall(r"\b(?:voice_kit|process|python)_\w+", expression))
        assert names, expression
        assert names <= set(known), f"{names - set(known)} is not measured"
        shown |= names
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            wanted = {label.strip() for label in labels.split(",")} - {"le", "instance"}
            assert all(wanted <= known[name] for name in names), expression
        assert expression.count("(") == expression.count(")")
    ours = {name for name in known if name.startswith("voice_kit_")}
    ours = {name for name in ours if not name.endswith(("_created", "_sum", "_count"))}
    assert ours <= shown, f"nobody looks at {ours - shown}"


def test_the_dashboard_is_where_grafana_looks_and_asks_the_source_it_has():
    (provider,) = yaml.safe_load(text("grafana/boards.yaml"))["providers"]
    (source,) = yaml.safe_load(text("grafana/source.yaml"))["datasources"]
    board = json.loads(text("grafana/voice-kit.json"))
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"
    mounted = {
        each["source"]: each["target"] for each in compose()["services"]["grafana"]["configs"]
    }
    folder = provider["options"]["path"]
    assert mounted["grafana_dashboard"].startswith(folder + "/")
    assert mounted["grafana_boards"].startswith("/etc/grafana/provisioning/dashboards/")
    assert mounted["grafana_source"].startswith("/etc/grafana/provisioning/datasources/")
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(places)) == len(places), "panels lie on one another"


# Kubernetes


def test_kubernetes_objects_follow_their_schemas():
    checking = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    own = [each for each in objects() if each["apiVersion"].split("/")[0] != "ray.io"]
    assert len(own) >= 12
    for each in own:
        checking.validate(each, KUBERNETES_VERSION, strict=True)
    for _, spec in pods():
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}
        checking.validate(pod, KUBERNETES_VERSION, strict=True)


def put_together(folder):
    command = [program("kubectl"), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def test_kustomize_puts_it_all_together():
    checking = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    base, whole = put_together(KUBERNETES), put_together(RAY)
    assert len(whole) == len(objects()) > len(base)
    for made in (base, whole):
        inside = [each for each in made if each["kind"] != "Namespace"]
        assert {each["metadata"]["namespace"] for each in inside} == {"voice-kit"}
        text_of = json.dumps(made)
        assert OURS in text_of and f'"image": "{OURS}"' not in text_of, "an image was not renamed"
        for each in made:
            if each["apiVersion"] != "ray.io/v1":
                checking.validate(each, KUBERNETES_VERSION, strict=True)


def test_with_ray_a_gateway_is_the_same_but_for_its_engines():
    def gateway(made):
        (found,) = [
            each["spec"]["template"]["spec"] for each in made if each["kind"] == "Deployment"
        ]
        return found, found["containers"][0]

    (_, plain), (pod, ray) = gateway(put_together(KUBERNETES)), gateway(put_together(RAY))
    for same in ("securityContext", "readinessProbe", "livenessProbe", "lifecycle", "envFrom"):
        assert ray[same] == plain[same]
    assert {each["name"] for each in ray["volumeMounts"]} > {
        each["name"] for each in plain["volumeMounts"]
    }
    assert {each["name"] for each in ray["volumeMounts"]} == {
        each["name"] for each in pod["volumes"]
    }
    joins, serves = ray["args"][-1].split(" & exec ")
    assert serves.split()[: len(plain["args"])] == plain["args"]
    assert "--ray" in serves
    service = one("RayService", "engines")["metadata"]["name"]
    assert f"--address={service}-head-svc:6379" in joins and "--num-cpus=0" in joins
    head = one("RayService", "engines")["spec"]["rayClusterConfig"]["headGroupSpec"]
    (container,) = head["template"]["spec"]["containers"]
    assert 6379 in [port["containerPort"] for port in container["ports"]]


def test_every_kubernetes_file_is_used():
    used = {path.name for path in resources(KUBERNETES)}
    there = {path.name for path in KUBERNETES.iterdir()}
    assert there - used == {"kustomization.yaml", "metrics-adapter.yaml"}
    ours = yaml.safe_load((RAY / "kustomization.yaml").read_text())
    used = {path.name for path in resources(RAY)} | {each["path"] for each in ours["patches"]}
    assert {path.name for path in RAY.iterdir()} - used == {"kustomization.yaml"}


KNOWN = {
    "": {"serveConfigV2", "rayClusterConfig"},
    "cluster": {
        "rayVersion",
        "enableInTreeAutoscaling",
        "autoscalerOptions",
        "gcsFaultToleranceOptions",
        "headGroupSpec",
        "workerGroupSpecs",
    },
    "group": {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"},
}
"""What a RayService may say, as far as ours does (KubeRay 1.4)."""


def test_ray_is_the_version_that_we_install_and_is_told_nothing_it_does_not_know():
    spec = one("RayService", "engines")["spec"]
    cluster = spec["rayClusterConfig"]
    assert set(spec) <= KNOWN[""] and set(cluster) <= KNOWN["cluster"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert set(group) <= KNOWN["group"]
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert re.search(rf"^ray=={re.escape(cluster['rayVersion'])}$", pins, re.M)
    (workers,) = cluster["workerGroupSpecs"]
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]


def test_ray_serve_accepts_its_configuration_and_finds_what_is_named_in_it():
    schema = pytest.importorskip("ray.serve.schema")
    told = yaml.safe_load(one("RayService", "engines")["spec"]["serveConfigV2"])
    (application,) = schema.ServeDeploySchema(**told).applications
    cards = sum(
        each.ray_actor_options.num_gpus * each.autoscaling_config["min_replicas"]
        for each in application.deployments
    )
    workers = one("RayService", "engines")["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]
    assert cards <= workers["minReplicas"], "the fewest replicas do not fit onto the fewest cards"
    module, _, name = application.import_path.partition(":")
    found = pytest.importorskip(module)
    assert callable(getattr(found, name))
    assert application.name == found.NAME
    load_settings(application.args)
    assert [each.name for each in application.deployments] == list(found.STAGES)
    for each in application.deployments:
        asked = each.autoscaling_config["target_ongoing_requests"]
        assert asked <= found.ONGOING[each.name], f"{each.name} would never grow"


def ray_serve_s():
    (application,) = yaml.safe_load(one("RayService", "engines")["spec"]["serveConfigV2"])[
        "applications"
    ]
    return application["args"], {each["name"]: each for each in application["deployments"]}


def test_every_engine_of_ray_is_named_and_the_image_for_it_has_its_packages():
    args, _ = ray_serve_s()
    settings = load_settings(args)
    engines = {stage: getattr(settings, stage).partition(":")[0] for stage in ("stt", "llm", "tts")}
    assert "auto" not in engines.values() and settings.device != "auto"
    (built,) = [each for each in sections()["Kubernetes"][1] if each.startswith("docker build")]
    (given,) = re.findall(r'--build-arg MORE="([^"]+)"', built)
    extra = {re.split("==", each)[0] for each in given.split()}
    plain = {re.match(r"[\w-]+", each)[0] for each in PROJECT["dependencies"]}
    wanted = {"whisper": {"faster-whisper", "nvidia-cublas-cu12"}, "ollama": {"ollama"}}
    wanted |= {"kokoro": {"kokoro"}}
    for stage, engine in engines.items():
        assert wanted[engine] <= extra | plain, f"{stage}: the image has no {engine}"
    assert given in text("Dockerfile"), "the Dockerfile says something else"
    assert image_env()["LD_LIBRARY_PATH"].endswith("/site-packages/nvidia/cublas/lib")
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for each in given.split():
        assert "==" in each or re.search(rf"^{each}==", pins, re.M), f"{each} is of any version"


def test_ray_s_language_model_is_where_it_is_looked_for_and_takes_no_card_of_ray_s():
    args, deployments = ray_serve_s()
    service = one("Service", "ollama")
    port = service["spec"]["ports"][0]["port"]
    assert args["options.ollama.host"] == f"http://{service['metadata']['name']}:{port}"
    (container,) = one("StatefulSet", "ollama")["spec"]["template"]["spec"]["containers"]
    _, _, fetched = container["lifecycle"]["postStart"]["exec"]["command"][-1].rpartition(" ")
    assert args["llm"] == f"ollama:{fetched}"
    assert container["image"] == compose()["services"]["ollama"]["image"]
    cards = {
        name: each["ray_actor_options"].get("num_gpus", 0) for name, each in deployments.items()
    }
    assert cards["stt"] > 0 and cards["tts"] > 0 and cards["llm"] == 0
    policies = {each["metadata"]["name"]: each["spec"] for each in objects("NetworkPolicy")}
    (out,) = policies["engines-to-ollama"]["egress"]
    assert policies["engines-to-ollama"]["podSelector"] == policies["engines"]["podSelector"]
    assert out["to"] == [{"podSelector": policies["ollama"]["podSelector"]}]
    assert [each["port"] for each in out["ports"]] == [port]
    (into,) = policies["ollama"]["ingress"]
    assert into["from"] == [{"podSelector": policies["engines"]["podSelector"]}]
    ready = sections()["Kubernetes"][1]
    first = next(n for n, each in enumerate(ready) if "rollout status statefulset/ollama" in each)
    assert first < ready.index("kubectl apply -k kubernetes-ray")


def test_every_pod_is_unprivileged_and_bounded():
    found = list(pods())
    assert len(found) >= 2
    for labels, spec in found:
        head = "ray-head" in json.dumps(spec)  # which asks the cluster for more nodes
        assert head or spec["automountServiceAccountToken"] is False, labels
        assert spec["securityContext"]["runAsNonRoot"] is True, labels
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
            assert "cpu" in container["resources"]["requests"]
        if OURS in json.dumps(spec):
            assert spec["securityContext"]["runAsUser"] == 10001


GATEWAY = {"app": "gateway"}
SOLVER = {"acme.cert-manager.io/http01-solver": "true"}
"""A pod of cert-manager's, in the namespace of the certificate, for HTTP-01."""


def test_every_selector_finds_pods():
    labelled = [*(labels for labels, _ in pods()), SOLVER]
    selectors = [each["spec"]["selector"] for each in objects("Service")]
    selectors += [one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"]]
    for policy in objects("NetworkPolicy"):
        for selector in re.findall(
            r'podSelector": (\{[^{}]*(?:\{[^{}]*\})?[^{}]*\})', json.dumps(policy)
        ):
            selectors.append(json.loads(selector).get("matchLabels", {}))
    assert len(selectors) >= 6
    for selector in selectors:
        assert any(selector.items() <= labels.items() for labels in labelled), selector


def test_every_secret_and_variable_of_a_pod_exists(tmp_path):
    program("openssl")
    subprocess.run(["sh", DEPLOY / "make-secrets", tmp_path], check=True, capture_output=True)
    made = {path.name for path in tmp_path.iterdir()}
    configs = {each["metadata"]["name"] for each in objects("ConfigMap")}
    for labels, spec in pods():
        for volume in spec.get("volumes", []):
            for item in volume.get("secret", {}).get("items", []):
                assert item["key"] in made, f"{labels}: {item}"
        mounts = {volume["name"] for volume in spec.get("volumes", [])}
        for container in spec["containers"]:
            for source in container.get("envFrom", []):
                assert source["configMapRef"]["name"] in configs
            used = {mount["name"] for mount in container.get("volumeMounts", [])}
            claims = {"data"}
            assert used <= mounts | claims, labels


def test_the_autoscaler_follows_a_metric_that_is_measured_and_handed_on():
    scaler = one("HorizontalPodAutoscaler")["spec"]
    target = scaler["scaleTargetRef"]
    assert one(target["kind"], target["name"])["apiVersion"] == target["apiVersion"]
    (metric,) = [each["pods"] for each in scaler["metrics"]]
    adapter = yaml.safe_load((KUBERNETES / "metrics-adapter.yaml").read_text())
    (rule,) = adapter["rules"]["custom"]
    assert rule["name"]["as"] == metric["metric"]["name"]
    assert rule["seriesQuery"].split("{")[0] in metrics()
    assert rule["name"]["matches"] in metrics()
    most = int(one("ConfigMap")["data"]["VOICE_KIT_SERVE_MAX_CONNECTIONS"])
    assert int(metric["target"]["averageValue"]) < most


async def numbers_told_to_a_stranger(**given):
    from helpers_http import shared_with

    from voice_kit.serve.app import create_app
    from voice_kit.serve.headers import behind

    app = create_app(shared_with(**given))
    far = httpx.ASGITransport(behind(app, given.get("proxies", ())), client=("10.42.0.7", 40000))
    (annotations,) = [one("Deployment")["spec"]["template"]["metadata"]["annotations"]]
    async with httpx.AsyncClient(transport=far, base_url="http://10.42.0.9") as prometheus:
        return await prometheus.get(annotations["prometheus.io/path"])


def test_prometheus_which_has_no_token_is_told_what_the_autoscaler_follows(monkeypatch):
    for name, value in one("ConfigMap")["data"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(f"{SERVE}SECRET", "s" * 40)
    told = asyncio.run(numbers_told_to_a_stranger(**load_serve().model_dump()))
    assert told.status_code == 200, told.text
    (metric,) = [
        each["pods"]["metric"] for each in one("HorizontalPodAutoscaler")["spec"]["metrics"]
    ]
    assert re.search(rf"^{metric['name']}(?:{{.*}})? ", told.text, re.M)
    closed = asyncio.run(numbers_told_to_a_stranger(secret="s" * 40))
    assert closed.status_code == 401, "this test's Prometheus is not far enough away"


def ingress():
    (rule,) = one("Ingress")["spec"]["rules"]
    assert len(rule["http"]["paths"]) > 1
    return rule["http"]["paths"]


def passed_on(path):
    """Whether the ingress has somebody outside reach this path."""
    return any(
        path == each["path"]
        or (each["pathType"] == "Prefix" and path.startswith(each["path"].rstrip("/") + "/"))
        for each in ingress()
    )


def test_the_ingress_passes_all_of_the_gateway_on_but_its_numbers():
    found = {re.sub(r"\{[^}]*\}", "x", path) for path in routes() if path}
    assert len(found) >= 12
    assert {path for path in found if not passed_on(path)} == {"/metrics"}
    assert passed_on("/static/page.js")
    for near in ("/metrics/", "//metrics", "/%6detrics"):
        assert not passed_on(near), near


def test_the_pod_that_fetches_the_certificate_can_be_reached():
    assert "cert-manager.io/cluster-issuer" in one("Ingress")["metadata"]["annotations"]
    policies = [each["spec"] for each in objects("NetworkPolicy")]
    (spec,) = [each for each in policies if each["podSelector"].get("matchLabels") == SOLVER]
    (rule,) = spec["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8089}]
    (gateways,) = [each for each in policies if each["podSelector"].get("matchLabels") == GATEWAY]
    assert rule["from"][0] in gateways["ingress"][0]["from"], "the ingress is somewhere else"


def test_what_is_scaled_says_no_number_of_its_own():
    for scaler in objects("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        assert "replicas" not in one(target["kind"], target["name"])["spec"]
        assert scaler["spec"]["minReplicas"] >= 2


def test_nothing_is_open_that_no_policy_names():
    policies = {each["metadata"]["name"]: each["spec"] for each in objects("NetworkPolicy")}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for labels, _ in pods():
        mine = [
            spec
            for spec in policies.values()
            if spec["podSelector"].get("matchLabels", {"": ""}).items() <= labels.items()
        ]
        assert any(spec.get("ingress") for spec in mine), f"nothing can reach {labels}"
    (redis,) = policies["redis"]["ingress"]
    assert redis["from"] == [{"podSelector": {"matchLabels": {"app": "gateway"}}}]
    blocks = [
        peer["ipBlock"]
        for rule in policies["gateway"]["egress"]
        for peer in rule["to"]
        if "ipBlock" in peer
    ]
    assert len(blocks) == 1
    for private in ("10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"):
        assert private in blocks[0]["except"]


# nginx


def test_nginx_knows_every_directive_and_where_it_belongs(tmp_path):
    crossplane = pytest.importorskip("crossplane", reason="pip install crossplane")
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"events {{}}\nhttp {{\ninclude {DEPLOY / 'nginx.conf'};\n}}\n")
    found = crossplane.parse(str(whole), strict=True)
    inside_a_map = re.compile('unknown directive "(default)?" ')  # no directives: what is mapped
    assert not [each for each in found["errors"] if not inside_a_map.search(each["error"])]
    assert len(found["config"]) == 2


def test_nginx_itself_takes_it(tmp_path):
    program("nginx")
    program("openssl")
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=t"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    ours = text("nginx.conf")
    ours = re.sub(r"/etc/letsencrypt\S*fullchain.pem", str(certificate), ours)
    ours = re.sub(r"/etc/letsencrypt\S*privkey.pem", str(key), ours)
    ours = ours.replace("/var/log/nginx", str(tmp_path))
    whole = tmp_path / "nginx.conf"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    own = "".join(f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in kinds)
    whole.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{own}{ours}\n}}\n")
    command = ["nginx", "-t", "-q", "-e", str(tmp_path / "e.log"), "-c", str(whole)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_nginx_writes_no_token_down_and_cuts_no_session_off():
    ours = text("nginx.conf")
    (form,) = re.findall(r"log_format \w+ '(.*)';", ours)
    assert "$uri" in form
    assert not {"$request", "$request_uri", "$args", "$query_string", "$http_referer"} & set(
        re.findall(r"\$\w+", form)
    )
    logs = re.findall(r"^\s*access_log (.*);", ours, re.M)
    assert logs == ["off", "/var/log/nginx/voice_kit.log voice_kit"]
    assert re.search(r"error_log \S+ crit;", ours)
    serve = Serve()
    (block,) = re.findall(r"location = /v1/realtime \{(.*?)\n    \}", ours, re.S)
    for wait in re.findall(r"proxy_(?:read|send)_timeout (\d+)m;", block):
        assert int(wait) > serve.session_minutes
    assert f"limit_conn voice_kit_open {serve.per_address};" in block
    assert f"rate={serve.connects_per_second:.0f}r/s" in ours
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in ours, "anyone could say who they are"
    for header in ("Upgrade $http_upgrade", "Connection $voice_kit_connection", "Host $host"):
        assert f"proxy_set_header {header};" in ours
    assert "proxy_set_header" not in block, "in a block of its own it would take the others away"


def test_nginx_takes_as_much_as_each_route_does_and_no_more():
    from voice_kit.serve.problems import Route

    ours, serve = text("nginx.conf"), Serve()
    sizes = {"": int(re.findall(r"^    client_max_body_size (\d+)m;", ours, re.M)[0])}
    for path, block in re.findall(r"location = (/\S+) \{(.*?)\n    \}", ours, re.S):
        for size in re.findall(r"client_max_body_size (\d+)m;", block):
            sizes[path] = int(size)
            assert "proxy_pass http://voice_kit;" in block
    most = {route.path: route.most(serve) for route in every_route() if isinstance(route, Route)}
    assert len(set(most.values())) == 2, "those that sound is sent to take more than the others"
    for path, size in most.items():
        taken = sizes.get(path, sizes[""]) * 2**20
        assert size <= taken < 1.1 * size, f"{path} takes {size} bytes, nginx {taken}"


# Terraform


def terraform():
    hcl2 = pytest.importorskip("hcl2")
    found = {}
    for path in sorted(TERRAFORM.glob("*.tf")):
        with path.open(encoding="utf-8") as file:
            for kind, blocks in hcl2.load(file).items():
                found.setdefault(kind, []).extend(blocks if isinstance(blocks, list) else [blocks])
    return found


def named(blocks):
    return {key.strip('"'): value for block in blocks for key, value in block.items()}


def test_terraform_files_parse_and_every_name_in_them_is_declared():
    whole = terraform()
    variables = set(named(whole["variable"]))
    everything = "".join(path.read_text(encoding="utf-8") for path in TERRAFORM.glob("*.tf"))
    assert variables == set(re.findall(r"\bvar\.(\w+)", everything))
    declared = {
        (kind.strip('"'), name.strip('"'))
        for block in whole["resource"]
        for kind, of in block.items()
        for name in of
    }
    used = set(re.findall(r"\b(hcloud_\w+)\.(\w+)\.", everything))
    assert used <= declared
    assert {"hcloud_server", "hcloud_firewall", "hcloud_ssh_key"} == {kind for kind, _ in declared}


def test_terraform_keeps_no_secret():
    everything = "".join(path.read_text(encoding="utf-8") for path in TERRAFORM.iterdir())
    assert not re.search(r"password\s*=|token\s*=|secret\s*=|private_key", everything)
    assert 'provider "hcloud" {}' in everything


def test_only_ssh_from_named_places_http_and_https_come_in():
    main = (TERRAFORM / "main.tf").read_text()
    rules = re.findall(r'port\s+= "(\d+)"\s+source_ips\s+= (.*)', main)
    assert rules == [
        ("22", "var.admin_addresses"),
        ("80", '["0.0.0.0/0", "::/0"]'),
        ("443", '["0.0.0.0/0", "::/0"]'),
    ]
    assert "firewall_ids = [hcloud_firewall.gateway.id]" in main


def given():
    found = dict(
        re.findall(r'^(\w+)\s*= "(.*)"$', (TERRAFORM / "example.tfvars").read_text(), re.M)
    )
    (networks,) = re.findall(r'admin_addresses\s*= \["(.*)"\]', text("terraform/example.tfvars"))
    assert ip_network(networks)
    return found


def test_the_example_values_are_what_is_asked_for():
    whole = terraform()
    needed = {name for name, of in named(whole["variable"]).items() if "default" not in of}
    assert needed - {"admin_addresses"} <= set(given())
    assert set(given()) <= set(named(whole["variable"]))
    for name in ("domain", "repository", "revision"):
        (condition,) = re.findall(
            rf'regex\("([^"]+)", var\.{name}\)', text("terraform/variables.tf")
        )
        condition = condition.replace("[:space:]", r"\s")
        assert re.search(condition, given()[name]), name
        assert not re.search(condition, "; rm -rf / #"), name


def test_terraform_finds_the_files_well_written():
    command = [program("terraform"), "fmt", "-check", "-diff", str(TERRAFORM)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def cloud_init():
    main = (TERRAFORM / "main.tf").read_text()
    names = set(re.findall(r"^\s+(\w+)\s+= var\.\w+$", main, re.M))
    template = text("terraform/cloud-init.yaml")
    used = set(re.findall(r"(?<!\$)\$\{(\w+)\}", template))
    assert used and used <= names
    return rendered(template, given())


def test_terraform_fills_the_server_s_first_start_in_as_this_test_does():
    program("terraform")
    values = ", ".join(f'{name} = "{value}"' for name, value in given().items())
    asked = f'templatefile("{TERRAFORM / "cloud-init.yaml"}", {{ {values} }})'
    done = subprocess.run(
        ["terraform", "console"],
        input=asked,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT / "tests",
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().split("\n")[1:-1]
    assert "\n".join(lines).rstrip() == cloud_init().rstrip()


def test_the_server_s_first_start_uses_files_that_are_there():
    assert cloud_init().startswith("#cloud-config\n")
    first = yaml.safe_load(cloud_init())
    written = {each["path"]: each["content"] for each in first["write_files"]}
    opt = "/opt/voice-kit/"
    mentioned = re.findall(rf"{opt}([\w./-]+)", cloud_init())
    assert len(mentioned) >= 3
    for path in mentioned:
        assert (ROOT / path).exists(), path
    unit = written["/etc/systemd/system/voice-kit.service"]
    assert (ROOT / re.search(rf"WorkingDirectory={opt}(\S+)", unit)[1] / "compose.yaml").is_file()
    commands = [" ".join(command) for command in first["runcmd"]]
    for unit in re.findall(r"voice-kit[\w-]*\.(?:service|timer)", " ".join(commands)):
        assert f"/etc/systemd/system/{unit}" in written
    order = [
        next(n for n, command in enumerate(commands) if part in command)
        for part in ("git clone", "checkout", "make-secrets", "voice-kit.service")
    ]
    assert order == sorted(order), "something is used before it is there"
    assert any(f"git clone {given()['repository']}" in command for command in commands)
    (script,) = [body for path, body in written.items() if path.endswith("voice-kit-certificate")]
    done = subprocess.run(["sh", "-n"], input=script, text=True, check=False)
    assert done.returncode == 0
    variables = set(re.findall(r"\$\{(\w+)", text("compose.yaml")))
    for line in written["/etc/voice-kit.env"].splitlines():
        assert line.split("=")[0] in variables


def test_nginx_gets_the_server_s_own_name():
    ours = text("nginx.conf").replace("talk.example.org", given()["domain"])
    command = re.search(r"s/talk\\\.example\\\.org/(\S+)/g", cloud_init())
    assert command and command[1] == given()["domain"]
    assert given()["domain"] in ours
    webroot = re.search(r"--webroot-path (\S+)", cloud_init())[1]
    assert f"root {webroot};" in ours, "the certificate could not be renewed"


# The words


def test_every_file_is_spoken_of_and_every_one_spoken_of_is_there():
    words = text("README.md")
    for path in files():
        top = path.relative_to(DEPLOY).parts[0]
        assert top in words or top in {"README.md", "__pycache__"}, (
            f"README.md does not say what {top} is for"
        )
    for name in re.findall(r"\]\(([^)#]+)\)", words):
        assert (DEPLOY / name).exists(), name
    for name in re.findall(r"(?:-f|-c|-k|sh) (voice_kit/\S+|[\w./-]+\.yaml)", words):
        assert (ROOT / name).exists() or (DEPLOY / name).exists(), name


def sections():
    """What README.md has under each of its headings: the words, and the commands."""
    found = re.split(r"^## (.*)$", text("README.md"), flags=re.M)[1:]
    joined = [each.replace("\\\n", "") for each in found[1::2]]
    return {
        heading: (body, "\n".join(re.findall(r"```bash\n(.*?)```", body, re.S)).splitlines())
        for heading, body in zip(found[::2], joined, strict=True)
    }


@pytest.mark.parametrize("folder", ["kubernetes", "kubernetes-ray"])
def test_the_image_is_in_the_registry_before_the_cluster_looks_for_it(folder):
    commands = sections()["Kubernetes"][1]
    (image,) = yaml.safe_load(text(f"{folder}/kustomization.yaml"))["images"]
    before = commands[: commands.index(f"kubectl apply -k {folder}")]
    assert f"docker push {image['newName']}:{image['newTag']}" in before


STARTS = (
    ("The image", "docker run"),
    ("One machine: Docker Compose", "docker compose up"),
    ("A swarm", "docker stack deploy"),
    ("Only the gateway, and a web server", "voice-kit serve"),
    ("One server at Hetzner", "terraform apply"),
    ("Kubernetes", "kubectl apply -k"),
)


@pytest.mark.parametrize(("heading", "start"), STARTS)
def test_each_way_ends_with_somebody_who_can_sign_in(heading, start, monkeypatch):
    from typer.testing import CliRunner

    from voice_kit.cli import app
    from voice_kit.serve.doors import Doors

    _, commands = sections()[heading]
    assert any(start in command for command in commands)
    (before, words) = next(
        command.split("voice-kit token ") for command in commands if "voice-kit token " in command
    )
    given_in_files = "exec" in before and not any("SERVE_SECRET" in each for each in commands)
    assert ("with-secrets " in before) == given_in_files, "the token would be made without a secret"
    monkeypatch.setenv(f"{SERVE}SECRET", "s" * 40)
    made = CliRunner().invoke(app, ["token", *words.split()])
    assert made.exit_code == 0, made.output
    token = next(line for line in made.output.splitlines() if line.startswith("eyJ"))
    assert Doors(Serve(secret="s" * 40)).admit(token).subject == "alice"


@pytest.mark.parametrize("heading", [heading for heading, start in STARTS if "docker" in start][1:])
def test_where_ollama_is_started_it_is_given_a_model_before_the_gateway_looks(heading):
    everything = sections()[heading][1]
    commands = [command for command in everything if re.search("ollama pull|gateway", command)]
    pull = next(n for n, command in enumerate(commands) if "ollama pull qwen3" in command)
    assert re.search(r"(restart|--force) (voice-kit_)?gateway", commands[pull + 1])


def test_the_server_at_hetzner_is_given_a_model_too():
    commands = sections()["One server at Hetzner"][1]
    local = sections()["One machine: Docker Compose"][1]
    assert [
        each for each in local if each.startswith(("docker compose exec", "docker compose r"))
    ] == commands[-3:]
    (folder,) = [each.removeprefix("cd /opt/voice-kit/") for each in commands if "/opt/" in each]
    assert (ROOT / folder).samefile(DEPLOY)


def behind_its_proxy(serve, proxy):
    """What a browser is answered that comes over https by a proxy at this address."""
    from helpers_http import shared_with

    from voice_kit.serve.app import create_app
    from voice_kit.serve.headers import behind
    from voice_kit.serve.jwts import issue

    async def asked():
        shared = shared_with(**serve.model_dump())
        gateway = httpx.ASGITransport(
            behind(create_app(shared), serve.proxies), client=(proxy, 40000)
        )
        headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
        async with httpx.AsyncClient(
            transport=gateway, base_url="http://talk.example.org", headers=headers
        ) as browser:
            token, _ = issue(serve, "alice", 1)
            return await browser.get("/", params={"token": token})

    return asyncio.run(asked())


def readme_s():
    commands = sections()["Only the gateway, and a web server"][1]
    set_there = dict(re.findall(r"^export (\w+)=(.*)$", "\n".join(commands), re.M))
    assert set_there.pop(f"{SERVE}SECRET").strip('"') == (
        "$(cat ~/.voice-kit/secrets/voice_kit_serve_secret)"
    )
    assert commands.index("./make-secrets") < commands.index("voice-kit serve")
    return set_there


def compose_s():
    return {
        name: default_of(value)
        for name, value in compose()["services"]["gateway"]["environment"].items()
        if name.startswith(SERVE)
    }


PROXIES = [
    (readme_s, "127.0.0.1"),
    (compose_s, "172.18.0.1"),
    (lambda: one("ConfigMap")["data"], "10.42.0.5"),
]


@pytest.mark.parametrize(("settings", "proxy"), PROXIES, ids=["alone", "compose", "kubernetes"])
def test_everybody_has_an_address_and_a_memory_of_their_own(settings, proxy, monkeypatch):
    from voice_kit.serve.doors import Doors

    for name, value in settings().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(f"{SERVE}SECRET", "s" * 40)
    serve = load_serve()
    assert Doors(serve).jwts
    cookie = behind_its_proxy(serve, proxy).headers["set-cookie"]
    assert "; Secure" in cookie, f"what {proxy} says of whom it speaks for is not believed"
    cookie = behind_its_proxy(serve, "203.0.113.9").headers["set-cookie"]
    assert "; Secure" not in cookie, "anybody may say who they are"


def test_every_variable_of_compose_is_explained():
    words = sections()["One machine: Docker Compose"][0]
    used = set(re.findall(r"\$\{(\w+)", text("compose.yaml"))) - {"HOME"}
    assert {"PROXIES", "ORIGINS"} <= used
    assert {name for name in used if f"`{name}`" not in words} == set()
    swarm = sections()["A swarm"]
    (told,) = re.findall(r"^export PROXIES=(\S+)", "\n".join(swarm[1]), re.M)
    serve = Serve(proxies=told)
    assert (
        default_of(compose()["services"]["gateway"]["environment"][f"{SERVE}PROXIES"])
        in serve.proxies
    )
    assert all(ip_network(each) for each in serve.proxies) and len(serve.proxies) == 2


def test_what_is_open_to_strangers_is_said():
    from helpers_http import shared_with

    from voice_kit.serve.app import create_app

    async def opened():
        app = create_app(shared_with(secret="s" * 40))
        far = httpx.ASGITransport(app, client=("203.0.113.7", 40000))
        async with httpx.AsyncClient(transport=far, base_url="http://talk.example.org") as stranger:
            for route in every_route():
                path = getattr(route, "path", "")
                file = "/orb.js" if path == "/static/show" else "/page.js"
                for method in getattr(route, "methods", None) or ["GET"]:
                    if path in {"", "/v1/realtime"}:
                        continue
                    url = re.sub(r"\{[^}]*\}", "x", path) + file * path.startswith("/static")
                    answer = await stranger.request(method, url)
                    assert answer.status_code in {200, 401}, f"{method} {url}: {answer}"
                    if answer.status_code == 200:
                        yield path

    async def collected():
        return {path async for path in opened()}

    (said,) = re.findall(r"^Open to everybody: (.*?\.) ", text("README.md"), re.M)
    found = asyncio.run(collected()) - {"/static/show"}
    assert "/" in found and set(re.findall(r"`(/\S*)`", said)) == found


def test_no_file_names_a_registry_of_packages():
    for path in files():
        found = re.search(r"pypi\.org|pythonhosted|index-url|npmjs", path.read_text("utf-8"))
        assert not found, path


def test_what_was_measured_is_told_with_the_command_that_measures_it():
    from importlib.util import find_spec

    page = text("SIZING.md")
    commands = set(re.findall(r"python -m (voice_kit\.workshop\.\w+)", page))
    assert commands >= {f"voice_kit.workshop.{name}" for name in ("sizing", "bench_ray")}
    assert all(find_spec(each) for each in commands)
    figures = (ROOT / "voice_kit" / "workshop" / "sizing_figures.toml").read_text("utf-8")
    hop = tomllib.loads(figures)["wire"]["hop"]
    (told,) = re.findall(r"Each hop to a replica costs ([\d.]+) ms.*?bench_ray 100`", page)
    assert float(told) == hop * 1000


def test_limits_are_said_to_be_shared_where_they_are_and_nowhere_else():
    from voice_kit.serve.doors import Guest
    from voice_kit.serve.limits import Limits

    (shared,) = re.findall(r"hold for all gateways together: (.*?)\.", text("SIZING.md"))
    assert shared == "new connections of an address, sound and tools of a person"
    asked, settled = [], asyncio.Event()

    class Counted:
        async def count(self, key, amount, per_seconds):
            asked.append(key.partition(":")[0])
            if len(asked) == 3:
                settled.set()
            return 0.0

    async def use():
        limits = Limits(Serve(redis="redis://elsewhere"), Counted())
        guest = Guest("alice", None)
        async with limits.connection("203.0.113.7", guest):
            limits.sound(limits.account(guest, "one"), 1.0)
            limits.tool(limits.account(guest, "one"))
        settling = asyncio.ensure_future(limits.settle(0.0))
        await settled.wait()
        settling.cancel()

    asyncio.run(asyncio.wait_for(use(), 10))
    assert set(asked) == {"connects", "sound", "tools"}


def test_settings_are_named_as_they_are():
    for name in set(re.findall(r"VOICE_KIT_SERVE_(\w+)", text("README.md"))):
        assert name.lower() in Serve.model_fields, name
    assert Settings().device
