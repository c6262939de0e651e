"""Figures of the parts: how they hear, think and speak."""

from __future__ import annotations

from svg import SOFT, Drawing


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
