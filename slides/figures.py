"""Draws the figures that notebooks and slides share into notebooks/figures; --check only looks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from svg import SOFT, Drawing

FOLDER = Path(__file__).parents[1] / "notebooks" / "figures"


def flow() -> Drawing:
    picture = Drawing(
        1600,
        560,
        "The flow: record, speak, detect, transcribe, think, speak",
        "Six steps from left to right: record, you speak, detect, transcribe, think, it speaks. "
        "Between them go frames of 32 ms, speech and its end, text, tokens, and sentences as "
        "sound. An arrow leads back: it goes on listening while it speaks.",
    )
    steps = [
        ("Record", "the microphone\nis open", "plain"),
        ("Speak", "you,\nwhenever you like", "hear"),
        ("Detect", "is it speech?\nis it over?", "hear"),
        ("Transcribe", "what\nwas said?", "hear"),
        ("Think", "what to\nanswer?", "think"),
        ("Speak", "it,\nuntil you stop it", "speak"),
    ]
    moves = ["air", "frames", "a turn", "text", "sentences"]
    for number, (name, what, tone) in enumerate(steps):
        x = 140 + number * 264
        picture.ball(x, 170, 72, tone, str(number + 1))
        picture.text(x, 318, name, 42, weight=700)
        picture.text(x, 366, what, 29, fill=SOFT)
    for number, what in enumerate(moves):
        x = 140 + number * 264
        picture.line([(x + 90, 170), (x + 176, 170)])
        picture.text(x + 132, 68, what, 28, fill=SOFT)
    picture.line([(1460, 430), (1460, 500), (404, 500), (404, 440)], tone="hear", dashed=True)
    picture.text(932, 484, "it goes on listening while it speaks", 31, fill="#0b4fc4")
    return picture


def architecture() -> Drawing:
    picture = Drawing(
        1600,
        820,
        "The architecture: one loop, which hears, thinks and speaks",
        "From top to bottom: notebook, terminal and web service; below them the conversation, the "
        "one loop; below it hear, think and speak, each with its engines; then audio; and at the "
        "bottom the nouns, settings and errors. Each layer knows only those below it.",
    )
    for place, (name, what) in enumerate(
        [
            ("show", "the notebook’s\nviews"),
            ("cli", "the terminal"),
            ("serve", "a page for\nmany people"),
            ("workshop", "exercises, bench"),
        ]
    ):
        picture.box(40 + place * 390, 30, 350, 130, name, what)
    picture.line([(800, 160), (800, 212)])
    picture.box(
        40, 212, 1520, 104, "converse", "the one loop: turns, interruptions, memory, events"
    )
    stages = [
        ("hear", "frames → speech → text", "silero · webrtc\nwhisper · sphinx", "hear"),
        ("think", "text → route → tokens", "ollama · llama.cpp\nhandbook · tools", "think"),
        ("speak", "tokens → sentences → sound", "kokoro · piper\nespeak", "speak"),
    ]
    for place, (name, what, engines, tone) in enumerate(stages):
        x = 40 + place * 520
        picture.line([(x + 240, 316), (x + 240, 364)])
        picture.box(x, 364, 480, 112, name, what, tone=tone)
        picture.box(x + 40, 476, 400, 112, "", engines, tone="ghost", dashed=True)
        picture.line([(x + 240, 588), (x + 240, 636)])
    picture.box(40, 636, 1520, 74, "audio:  microphone, loudspeaker, files", size=32)
    picture.box(40, 724, 1520, 74, "types, settings, errors", size=32)
    return picture


def detector() -> Drawing:
    picture = Drawing(
        1600,
        430,
        "A voice detector: a frame goes in, a chance comes out, and it remembers",
        "A frame of 512 samples with 64 samples before it goes into a small network with a memory; "
        "out comes the chance of speech in percent. The memory goes back into the network with the "
        "next frame.",
    )
    picture.box(40, 110, 350, 150, "one frame", "512 samples, 32 ms\nand 64 before it", tone="hear")
    picture.line([(390, 185), (556, 185)])
    picture.box(
        556, 80, 488, 210, "a small network", "what pitches are there?\nhow do they change?"
    )
    picture.line([(1044, 185), (1210, 185)])
    picture.box(1210, 110, 350, 150, "97 %", "the chance that\nit is speech", tone="hear", size=46)
    picture.line([(960, 290), (960, 370), (640, 370), (640, 292)], dashed=True)
    picture.text(800, 352, "its memory", 30, fill=SOFT)
    picture.text(800, 48, "31 times a second, for everybody who is connected", 30, fill=SOFT)
    return picture


def turn_end() -> Drawing:
    picture = Drawing(
        1600,
        470,
        "When has somebody finished? A wait decides",
        "Somebody says: set a timer for, then pauses, then: ten minutes. With a short wait the "
        "turn ends in the pause, and the sentence is cut off. With a long wait it ends after the "
        "last word, and everybody waits that long.",
    )
    for x, width, words in ((60, 520, "“Set a timer for …”"), (880, 380, "“… ten minutes.”")):
        picture.box(x, 60, width, 110, words, tone="hear")
    picture.text(730, 126, "a thought", 30, fill=SOFT)
    picture.box(580, 220, 150, 80, "wait", tone="wait", size=32)
    picture.line([(730, 200), (730, 320)], tone="stop", arrow=False)
    picture.text(750, 272, "cut off", 32, anchor="start", weight=650, fill="#9c2019")
    picture.text(60, 272, "A short wait", 34, anchor="start", weight=650)
    picture.box(1260, 350, 300, 80, "wait", tone="wait", size=32)
    picture.line([(1560, 330), (1560, 450)], tone="hear", arrow=False)
    picture.text(1240, 402, "polite, and slow every time", 32, anchor="end", weight=650)
    picture.text(60, 402, "A long wait", 34, anchor="start", weight=650)
    return picture


def recogniser() -> Drawing:
    picture = Drawing(
        1600,
        470,
        "How Whisper writes down what it hears",
        "Sound becomes a picture of pitches, always thirty seconds wide. The encoder looks at all "
        "of it once. The decoder then writes the text, one piece of a word after the other, and "
        "looks back at the window for each.",
    )
    picture.box(
        40, 130, 320, 190, "a picture", "80 bands of pitch,\nalways 30 seconds", tone="hear"
    )
    picture.line([(360, 225), (446, 225)])
    picture.box(446, 130, 320, 190, "encoder", "looks at the\nwhole window, once")
    picture.line([(766, 225), (852, 225)])
    picture.box(852, 130, 320, 190, "decoder", "writes, a piece of\na word at a time")
    picture.line([(1172, 225), (1258, 225)])
    picture.box(1258, 130, 300, 190, "text", "“What is\na token?”", tone="think")
    picture.line([(1100, 320), (1100, 400), (924, 400), (924, 322)], dashed=True)
    picture.text(1012, 446, "what it wrote so far", 30, fill=SOFT)
    picture.text(606, 88, "paid for one word as for thirty seconds", 30, fill=SOFT)
    return picture


def aligned() -> Drawing:
    picture = Drawing(
        1600,
        430,
        "From a model that continues to one that answers",
        "Three steps: pretraining on much text makes a model that continues; examples of good "
        "answers make one that answers; people’s preferences make one that answers as people like.",
    )
    steps = [
        ("much text", "what comes next?", "It continues.", "plain"),
        ("examples", "questions with\ngood answers", "It answers.", "think"),
        ("preferences", "which of two answers\ndo people like?", "It pleases.", "think"),
    ]
    for place, (name, what, then, tone) in enumerate(steps):
        x = 40 + place * 540
        picture.box(x, 60, 440, 190, name, what, tone=tone, size=40)
        picture.text(x + 220, 330, then, 44, weight=700)
        if place < 2:
            picture.line([(x + 440, 155), (x + 540, 155)])
    picture.text(
        800,
        400,
        "What it knows is mostly from the first step, its manners are from the others.",
        30,
        fill=SOFT,
    )
    return picture


def arena() -> Drawing:
    picture = Drawing(
        1600,
        470,
        "How an arena ranks: two without names, one vote, many times",
        "One question goes to two models whose names are hidden. A person votes for one answer. "
        "From very many votes a rating is computed, with an interval that says how sure it is.",
    )
    picture.box(40, 170, 280, 120, "one question")
    picture.line([(320, 210), (430, 120)])
    picture.line([(320, 250), (430, 340)])
    picture.box(430, 60, 300, 120, "model ?", tone="think")
    picture.box(430, 280, 300, 120, "model ?", tone="think")
    picture.line([(730, 120), (850, 210)])
    picture.line([(730, 340), (850, 250)])
    picture.box(850, 160, 270, 140, "a vote", "A, B, or equal", tone="hear")
    picture.line([(1120, 230), (1230, 230)])
    picture.text(1175, 140, "many\ntimes", 30, fill=SOFT)
    picture.box(1230, 130, 330, 200, "a rating", "and how sure\nit is: ± an interval")
    return picture


def voice() -> Drawing:
    picture = Drawing(
        1600,
        400,
        "How a text becomes a voice",
        "Text becomes phonemes by rules and a dictionary; phonemes become sound by a network or by "
        "tables. Example: I owe you, with its phonetic signs.",
    )
    picture.box(40, 120, 330, 170, "text", "“I owe you 3 €.”", tone="think")
    picture.line([(370, 205), (440, 205)])
    picture.box(440, 120, 340, 170, "words", "“I owe you\nthree euros.”")
    picture.line([(780, 205), (850, 205)])
    picture.box(850, 120, 330, 170, "phonemes", "aɪ ˈoʊ juː …")
    picture.line([(1180, 205), (1250, 205)])
    picture.box(1250, 120, 310, 170, "sound", "24,000 numbers\na second", tone="speak")
    picture.text(610, 80, "what signs mean", 30, fill=SOFT)
    picture.text(1015, 80, "how words sound", 30, fill=SOFT)
    picture.text(1405, 80, "melody, breath", 30, fill=SOFT)
    picture.text(
        800, 360, "A mistake on the left is heard on the right: “read”, “Dr.”, “3.5 ml”.", 31
    )
    return picture


def first_sentence() -> Drawing:
    picture = Drawing(
        1600,
        590,
        "Sentence by sentence: the first is heard while the second is written",
        "Above, all text is written, then all of it becomes sound, then it is heard: a long "
        "silence. Below, each sentence becomes sound when it is complete: the first is heard while "
        "the others are written.",
    )

    def row(y: float, bars: list[tuple[float, float, str, str]]) -> None:
        for x, width, words, tone in bars:
            picture.box(x, y, width, 62, words, tone=tone, size=28)

    picture.text(40, 50, "All at once", 36, anchor="start", weight=700)
    row(74, [(60, 480, "write 1, 2, 3", "think")])
    row(144, [(540, 300, "make sound", "speak")])
    row(214, [(840, 700, "heard: 1, 2, 3", "plain")])
    picture.line([(60, 245), (836, 245)], tone="stop")
    picture.text(290, 230, "silence", 31, fill="#9c2019", weight=650)
    picture.text(40, 344, "Sentence by sentence", 36, anchor="start", weight=700)
    row(368, [(60, 160, "1", "think"), (220, 160, "2", "think"), (380, 160, "3", "think")])
    row(438, [(220, 100, "1", "speak"), (380, 100, "2", "speak"), (540, 100, "3", "speak")])
    row(508, [(320, 700, "heard: 1, 2, 3", "plain")])
    picture.line([(60, 539), (316, 539)], tone="hear")
    picture.text(130, 524, "silence", 31, fill="#0b4fc4", weight=650)
    return picture


def gate() -> Drawing:
    picture = Drawing(
        1600,
        600,
        "Begin before it is certain, behind a closed gate",
        "At the first short pause of your speech the assistant transcribes, thinks and makes "
        "sound, behind a closed gate. If you go on, all of it is dropped without a trace. If you "
        "have finished, the gate opens and the answer is already there.",
    )
    picture.text(40, 60, "You have finished", 36, anchor="start", weight=700)
    picture.box(60, 90, 500, 74, "you speak", tone="hear", size=32)
    picture.box(560, 90, 330, 74, "quiet", tone="wait", size=32)
    picture.box(620, 184, 250, 74, "the answer", tone="think", size=32)
    picture.line([(890, 74), (890, 272)], tone="speak", arrow=False, thick=8)
    picture.text(906, 246, "the gate opens", 31, anchor="start", fill="#00626d", weight=650)
    picture.box(900, 90, 640, 74, "it is heard at once", tone="speak", size=32)
    picture.text(40, 376, "You go on", 36, anchor="start", weight=700)
    picture.box(60, 406, 500, 74, "you speak", tone="hear", size=32)
    picture.box(560, 406, 180, 74, "quiet", tone="wait", size=32)
    picture.box(740, 406, 800, 74, "you speak again", tone="hear", size=32)
    picture.box(620, 500, 250, 74, "the answer", tone="ghost", size=32, dashed=True)
    picture.line([(610, 574), (880, 500)], tone="stop", arrow=False, thick=6)
    picture.text(
        906,
        548,
        "dropped without a trace",
        31,
        anchor="start",
        fill="#9c2019",
        weight=650,
    )
    return picture


def interruption() -> Drawing:
    picture = Drawing(
        1600,
        470,
        "An interruption is a hypothesis: pause, gather evidence, then stop or go on",
        "While the assistant speaks, there is a sound from you. It pauses at once and keeps its "
        "place. Then it gathers evidence: how long is it, what does it say? Either it stops for "
        "good and listens, or it goes on from the very same word.",
    )
    picture.box(40, 170, 290, 130, "a sound", "while it speaks", tone="hear")
    picture.line([(330, 235), (410, 235)])
    picture.box(410, 170, 300, 130, "pause", "its place is kept", tone="wait")
    picture.line([(710, 235), (790, 235)])
    picture.box(790, 160, 310, 150, "evidence", "how long is it?\nwhat does it say?")
    picture.line([(1100, 205), (1190, 116)])
    picture.line([(1100, 265), (1190, 354)])
    picture.box(1190, 50, 370, 130, "stop", "“No, tell me …”", tone="stop")
    picture.box(1190, 290, 370, 130, "go on", "“mhm”, a cough, a chair", tone="speak")
    return picture


def routes() -> Drawing:
    picture = Drawing(
        1600,
        500,
        "Three ways to answer: talk, search, do",
        "A small classifier sends each question one of three ways: talk, for which the language "
        "model answers; search, which only today’s web knows; skill, which does something. When it "
        "is not sure, it talks, because talking is always safe.",
    )
    picture.box(40, 190, 330, 130, "what was said", tone="hear")
    picture.line([(370, 255), (450, 255)])
    picture.box(450, 180, 320, 150, "a classifier", "learnt from examples\nyou can edit")
    ways = [
        ("talk", "“Why do cats purr?”", "think", 40),
        ("search", "“Who won last night?”", "plain", 190),
        ("skill", "“Set a timer for ten minutes.”", "speak", 340),
    ]
    for name, words, tone, y in ways:
        picture.line([(770, 255), (880, y + 65)])
        picture.box(880, y, 680, 130, name, words, tone=tone)
    picture.text(610, 400, "not sure? talk", 31, fill="#5d25c9", weight=650)
    return picture


def tool_call() -> Drawing:
    picture = Drawing(
        1600,
        420,
        "A tool call: the model writes a wish, we do it",
        "The model is told which functions there are. It writes a name and arguments. We check "
        "them and call the function. The result goes back to the model, which answers.",
    )
    picture.box(40, 120, 340, 150, "the model", "knows the list\nof functions", tone="think")
    picture.line([(380, 170), (620, 170)])
    picture.text(500, 148, "“roll_dice(2)”", 28)
    picture.box(620, 110, 360, 170, "we", "check it, and\ndo it, or refuse")
    picture.line([(980, 195), (1180, 195)])
    picture.box(1180, 120, 380, 150, "a function", "with your rights", tone="stop")
    picture.line([(1370, 270), (1370, 340), (210, 340), (210, 272)], tone="think", dashed=True)
    picture.text(790, 392, "the result goes back, as data and never as an instruction", 31)
    return picture


def gateway() -> Drawing:
    picture = Drawing(
        1600,
        500,
        "On the web: one socket is one conversation",
        "Browsers, phones and programs each hold one socket to the gateway. Sound goes up and down "
        "in it. Each socket is one conversation; all of them share the engines.",
    )
    for row, (name, what) in enumerate(
        [
            ("a browser", "the notebook’s modules"),
            ("a phone", "over https"),
            ("a program", "OpenAI’s events"),
        ]
    ):
        y = 30 + row * 156
        picture.box(40, y, 380, 126, name, what)
        picture.line([(420, y + 50), (700, 205 + row * 26)], tone="hear")
        picture.line([(700, 225 + row * 26), (422, y + 84)], tone="speak")
    picture.box(
        700, 130, 400, 240, "the gateway", "one conversation\nfor each socket", tone="hear", size=40
    )
    picture.line([(1100, 250), (1200, 250)])
    for row, (name, tone) in enumerate([("hear", "hear"), ("think", "think"), ("speak", "speak")]):
        picture.box(1200, 60 + row * 136, 360, 112, name, "shared by all", tone=tone)
    picture.text(900, 420, "your voice in, its voice out", 30, fill=SOFT)
    return picture


def scale() -> Drawing:
    picture = Drawing(
        1600,
        600,
        "For a thousand people: gateways, replicas, and one memory",
        "A load balancer spreads people over gateways. Gateways call replicas of hear, think and "
        "speak on a Ray cluster, a few times a turn and never for a frame of sound. Redis holds "
        "who talks where and what was said.",
    )
    picture.box(40, 225, 270, 130, "people", "1,000 at once")
    picture.line([(310, 290), (400, 290)])
    for row in range(3):
        picture.box(400, 90 + row * 140, 350, 110, "gateway", "hears everybody", tone="hear")
    picture.line([(750, 290), (1010, 290)])
    picture.text(880, 262, "a few calls a turn", 29, fill=SOFT)
    for row, (name, tone) in enumerate([("hear", "hear"), ("think", "think"), ("speak", "speak")]):
        y = 90 + row * 140
        for depth in (24, 12, 0):
            picture.box(
                1010 + depth,
                y - depth,
                500,
                110,
                *(("", "") if depth else (name, "as many as it takes")),
                tone=tone,
            )
    picture.text(1270, 40, "Ray: replicas, each kind on its own", 30, fill=SOFT)
    picture.box(400, 500, 350, 84, "Redis", tone="plain")
    picture.line([(575, 480), (575, 500)], arrow=False)
    picture.text(780, 552, "what was said, and who serves it now", 30, anchor="start", fill=SOFT)
    return picture


FIGURES: list[Callable[[], Drawing]] = [
    *(flow, architecture, detector, turn_end, recogniser, aligned, arena, voice),
    *(first_sentence, gate, interruption, routes, tool_call, gateway, scale),
]


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    """Draw, or check. 0 when all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    check = parser.parse_args(arguments).check
    texts = {folder / f"{draw.__name__}.svg": draw().file() for draw in FIGURES}
    if not check:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8", newline="\n")
    stale = [
        f"{path.name} is not as slides/figures.py draws it: run it"
        for path, text in texts.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    stale += [
        f"{path.name} is drawn by nobody" for path in folder.glob("*.svg") if path not in texts
    ]
    print(*stale or [f"{len(texts)} figures are as they are drawn"], sep="\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
