"""Figures of the whole: the flow, the loop, and how it grows."""

from __future__ import annotations

from svg import SOFT, Drawing


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
