"""The report on an executed course: one table, as JSON, as text and as pages without a network."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from voice_kit.errors import VoiceKitError
from voice_kit.workshop.course import folder

Report = dict[str, Any]
FILE = "report.json"
VERSION = 1

STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } caption { text-align: left; font-weight: bold; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8888; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
td.figure { padding-left: 1.5rem; } pre { white-space: pre-wrap; }
"""


def report(engines: str, notebooks: list[dict[str, Any]]) -> Report:
    """Everything as plain data: the machine, the engines, and each notebook in its order."""
    from voice_kit.workshop.bench import machine

    return {
        "version": VERSION,
        "when": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "machine": machine(),
        "engines": engines,
        "seconds": round(sum(each["seconds"] for each in notebooks), 1),
        "notebooks": sorted(notebooks, key=lambda each: str(each["name"])),
    }


def read(path: Path) -> Report:
    """A report that was written before, by its file or folder. Raises `VoiceKitError`."""
    file = path / FILE if path.is_dir() else path
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["version"] != VERSION:
            raise VoiceKitError(f"{file} is of another version of voice-kit. Run it there again.")
        _rows(found)
        return dict(found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise VoiceKitError(
            f"{file} is no report. Use the report.json of `voice-kit notebooks run`."
        ) from error


def line(done: dict[str, Any]) -> str:
    """What came of one notebook, in a line, or two when it failed."""
    said = f"{done['name'][:2]} {done['title']}: {done['state']}, {done['seconds']:.1f} s"
    if problem := done["problem"]:
        said += f"\n   cell {problem['cell']}, “{problem['heading']}”: {problem['error']}"
    return said


def table(of: Report) -> str:
    """One table: each notebook, and below it the figures that it printed."""
    lines = [f"{'notebook':<34}{'state':<7}{'time':>8}   slowest cell"]
    for each in of["notebooks"]:
        slow = each["slowest"]
        lines.append(
            f"{each['name'][:2]} {each['title'][:30]:<31}{each['state']:<7}"
            f"{each['seconds']:>6.1f} s   {slow['seconds']:.1f} s, cell {slow['cell']} "
            f"“{slow['heading']}”"
        )
        lines += [f"     {name:<45} {ms:>8.1f} ms" for name, ms in medians(each).items()]
        if problem := each["problem"]:
            where = f"cell {problem['cell']}, “{problem['heading']}”"
            lines.append(f"     stopped in {where}: {problem['error']}")
    ran = sum(each["state"] == "ran" for each in of["notebooks"])
    total = f"{ran} of {len(of['notebooks'])} notebooks ran"
    return "\n".join([*lines, f"{total:<42}{of['seconds']:>6.1f} s"])


def medians(notebook: dict[str, Any]) -> dict[str, float]:
    """The figures of a notebook by name, in milliseconds; the median where one came often."""
    named: dict[str, list[float]] = {}
    for each in notebook["figures"]:
        named.setdefault(each["name"], []).append(each["ms"])
    return {name: median(values) for name, values in named.items()}


def compared(here: Report, there: Report) -> str:
    """Two machines side by side, in what both have measured."""
    lines = [f"here:  {machine(here)}", f"there: {machine(there)}"]
    if here["engines"] != there["engines"]:
        lines.append("The engines are not the same, so this compares more than the machines.")
    lines.append(f"{'':<50}{'here':>12}{'there':>12}")
    other = _rows(there)
    shared = [(row, value, other[row]) for row, value in _rows(here).items() if row in other]
    for (notebook, name), (mine, unit), (theirs, _) in shared:
        label = f"{notebook} {name}"[:49]
        both = f"{label:<50}{mine:>9.1f} {unit:<2}{theirs:>9.1f} {unit:<2}"
        lines.append(f"{both}  {_times(mine, theirs)}")
    return "\n".join(lines if shared else [*lines, "There is nothing that both have run."])


def _times(mine: float, theirs: float) -> str:
    if mine <= 0 or theirs <= 0:
        return ""
    factor = max(mine, theirs) / min(mine, theirs)
    if factor < 1.1:
        return "alike"
    return f"{factor:.1f} times as long {'there' if theirs > mine else 'here'}"


def _rows(of: Report) -> dict[tuple[str, str], tuple[float, str]]:
    """What can be compared: the time of each notebook that ran, and its figures."""
    rows: dict[tuple[str, str], tuple[float, str]] = {}
    for each in of["notebooks"]:
        if each["state"] == "ran":
            rows[each["name"][:2], each["title"]] = float(each["seconds"]), "s"
            for name, ms in medians(each).items():
                rows[each["name"][:2], f"  {name}"] = float(ms), "ms"
    return rows


def machine(of: Report) -> str:
    """A machine in words."""
    found = of["machine"]
    return f"{found['cores']} cores, {found['system']}, Python {found['python']}"


# Pages


def keep(of: Report, out: Path) -> None:
    """Write report.json. Raises `VoiceKitError` when the disk does not take it."""
    with _writing(out):
        (out / FILE).write_text(json.dumps(of, indent=1), encoding="utf-8")


def write(of: Report, out: Path, other: Report | None = None) -> None:
    """Write report.json, a page for each executed notebook and index.html.

    Raises `VoiceKitError` when the disk does not take them.
    """
    keep(of, out)
    with _writing(out):
        for each in of["notebooks"]:
            if (executed := out / f"{each['name']}.ipynb").exists():
                (out / f"{each['name']}.html").write_text(page(executed), encoding="utf-8")
        (out / "index.html").write_text("\n".join(_index(of, out, other)), encoding="utf-8")


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise VoiceKitError(
            f"The report cannot be written to {out}: {error.strerror}. Free some space."
        ) from error


def page(executed: Path) -> str:
    """An executed notebook as a page that asks nothing of any other host.

    Its scripts would: they fetch formulas and widgets. Players and plots need none.
    """
    import nbformat
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="lab", embed_images=True)  # type: ignore[no-untyped-call]
    ran = nbformat.read(executed, as_version=4)  # type: ignore[no-untyped-call]
    beside: dict[str, Any] = {"metadata": {"path": str(folder() / "solutions")}}  # its figures
    text, _ = exporter.from_notebook_node(ran, beside)
    text = re.sub(r"<script\b.*?</script\s*>", "", str(text), flags=re.DOTALL | re.IGNORECASE)
    return re.sub(r"<link\b[^>]*>", "", text)


def _index(of: Report, out: Path, other: Report | None) -> Iterator[str]:
    escape = html.escape
    ran = sum(each["state"] == "ran" for each in of["notebooks"])
    yield '<!doctype html><html lang="en"><meta charset="utf-8"><title>The course</title>'
    yield f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
    yield f"<h1>The course: {ran} of {len(of['notebooks'])} notebooks ran</h1>"
    yield f"<p>{escape(of['when'])}, engines: {escape(of['engines'])}. {escape(machine(of))}.</p>"
    yield "<table><caption>Times and latency figures</caption><thead><tr>"
    yield "".join(f'<th scope="col">{name}</th>' for name in ("notebook", "result", "time"))
    yield "</tr></thead><tbody>"
    for each in of["notebooks"]:
        name = escape(f"{each['name'][:2]} {each['title']}")
        if (out / f"{each['name']}.html").exists():
            name = f'<a href="{escape(each["name"])}.html">{name}</a>'
        yield _row(f'<th scope="row">{name}</th>', each["state"], f"{each['seconds']:.1f} s")
        if problem := each["problem"]:
            where = f"cell {problem['cell']}, “{problem['heading']}”: {problem['error']}"
            yield f'<tr><td colspan="3"><pre>{escape(where)}</pre></td></tr>'
        for figure, ms in medians(each).items():
            yield _row(f'<td class="figure">{escape(figure)}</td>', "", f"{ms:.1f} ms")
    yield f"</tbody></table><p>Altogether {of['seconds']:.1f} s.</p>"
    if other:
        yield f"<h2>Beside another machine</h2><pre>{escape(compared(of, other))}</pre>"
    yield "</html>"


def _row(first: str, state: str, figure: str) -> str:
    return f'<tr>{first}<td>{html.escape(state)}</td><td class="number">{figure}</td></tr>'
