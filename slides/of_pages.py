"""What else stands on slides: where we are, and what other pages of the repository say."""

from __future__ import annotations

import re
from html import escape

import charts
from desk import ROOT, Desk, SlideError, on_slides, table_with

CALLED = {
    "cores or cards for engines": "for the engines",
    "voice to voice, half are below": "median silence",
    "a conversation": "euros a month, each",
}
"""What some rows of SIZING.md are called on a slide."""


@on_slides
def place(desk: Desk, *stages: str) -> str:
    """Where we are between microphone and loudspeaker."""
    names = ["microphone", "hear", "think", "speak", "loudspeaker"]
    items = "".join(
        f'<li class="{name}"{" aria-current=step" if name in stages else ""}>{name}</li>'
        for name in names
    )
    return f'<ol class="place" aria-label="You are here: {", ".join(stages)}">{items}</ol>'


@on_slides
def orbs(desk: Desk) -> str:
    """The sphere in the states that it has."""
    states = {
        "idle": "idle",
        "listening": "listening",
        "thinking": "thinking",
        "speaking": "speaking",
    }
    return (
        '<div class="orbs">'
        + "".join(
            f'<p><span class="orb {state}" aria-hidden="true"></span>{name}</p>'
            for state, name in states.items()
        )
        + "</div>"
    )


@on_slides
def peers(desk: Desk) -> str:
    """The README's comparison."""
    rows = table_with(ROOT / "README.md", "pipecat")
    values = [(re.sub(r" \d[\w.]*$", "", row[0]), float(row[1])) for row in rows]
    told = "; ".join(f"{name} {value:g} ms" for name, value in values)
    drawn = charts.compared(values, "ms", f"From the last word to the first sound: {told}")
    return f"<figure>{drawn}</figure>"


@on_slides
def sizing(desk: Desk, *labels: str) -> str:
    """Some rows of SIZING.md."""
    rows = table_with(
        ROOT / "voice_kit" / "serve" / "deploy" / "SIZING.md", "turns a second", whole=True
    )
    wanted = [label.replace("_", " ") for label in labels]
    found = [row for row in rows if row[0] in wanted]
    if len(found) != len(wanted):
        raise SlideError(f"SIZING.md has no longer all of: {', '.join(wanted)}.")
    found = [[CALLED.get(row[0], row[0]), *row[1:]] for row in found]
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in [rows[1], *found]
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


@on_slides
def qr(desk: Desk) -> str:
    """The repository's address, to be photographed."""
    if not desk.repository:
        return (
            '<p class="address">Where is it? Say <code>make slides REPOSITORY=https://…</code> '
            "and it stands here.</p>"
        )
    import segno

    drawn = segno.make(desk.repository, error="m", micro=False).svg_inline(
        scale=10,
        border=2,
        omitsize=True,
        svgclass=None,
        lineclass=None,
        dark="#16202b",
        light="#fff",
    )
    label = escape(f"QR code: {desk.repository}", quote=True)
    drawn = drawn.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    shown = escape(desk.repository.removeprefix("https://"))
    return f'<figure class="qr">{drawn}<figcaption>{shown}</figcaption></figure>'
