"""For each exercise: a right answer, and plausible wrong ones with what they must be told."""

RIGHT = {
    "rms_dbfs": """
def rms_dbfs(frame):
    return 20 * np.log10(max(float(np.sqrt(np.mean(frame**2))), 1e-10))
""",
    "in_frames": """
def in_frames(samples):
    frames = [samples[at : at + FRAME] for at in range(0, len(samples), FRAME)]
    return [np.pad(frame, (0, FRAME - len(frame))) for frame in frames]
""",
    "mixed": """
def mixed(speech, noise, snr):
    ratio = np.sqrt(np.mean(speech**2) / np.mean(noise**2))
    return speech + noise * ratio / 10 ** (snr / 20)
""",
    "loud_frames": """
def loud_frames(levels, margin):
    return [level >= min(levels) + margin for level in levels]
""",
    "with_hysteresis": """
def with_hysteresis(chances, start_above, stop_below):
    speaking, found = False, []
    for chance in chances:
        speaking = chance >= (stop_below if speaking else start_above)
        found.append(speaking)
    return found
""",
    "turn_ends": """
def turn_ends(speech, hangover):
    ends, spoken, quiet = [], False, 0
    for frame, loud in enumerate(speech):
        if loud:
            spoken, quiet = True, 0
        elif spoken:
            quiet += 1
            if quiet == hangover:
                ends.append(frame)
                spoken = False
    return ends
""",
    "word_error_rate": """
def word_error_rate(said, heard):
    said, heard = said.split(), heard.split()
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        last, row = row, [number]
        for place, guess in enumerate(heard):
            row.append(min(last[place] + (word != guess), last[place + 1] + 1, row[place] + 1))
    return row[-1] / len(said)
""",
    "real_time_factor": """
def real_time_factor(transcribe, audio):
    began = time.perf_counter()
    transcribe(audio)
    return (time.perf_counter() - began) / audio.seconds
""",
    "is_invention": """
def is_invention(text, chances):
    return len(text) > 40 * sum(chance > 0.5 for chance in chances) * FRAME / RATE
""",
    "first_token_time": """
def first_token_time(tokens):
    began = time.perf_counter()
    for _ in tokens:
        return time.perf_counter() - began
    return None
""",
    "trimmed": """
def trimmed(messages, budget, cost):
    persona, *earlier, question = messages
    kept, left = [question], budget - cost(question)
    for message in reversed(earlier):
        left -= cost(message)
        if left < 0:
            break
        kept.insert(0, message)
    while kept[0].role != "user":
        kept.pop(0)
    return [persona, *kept]
""",
    "sentences": """
def sentences(tokens):
    gathered = ""
    for token in tokens:
        gathered += token
        text = gathered.strip()
        if not text.endswith((".", "!", "?")) or text.endswith(ABBREVIATIONS):
            continue
        if text[-1] == "." and text[-2:-1].isdigit():
            continue
        yield text
        gathered = ""
    if gathered.strip():
        yield gathered.strip()
""",
    "to_say": """
def to_say(text, units):
    for sign in sorted(units, key=len, reverse=True):
        text = re.sub(rf"(\\d) ?{re.escape(sign)}(?!\\w)", rf"\\1 {units[sign]}", text)
    return text
""",
    "answer": """
def answer(question, transcribe, reply, cut, speak):
    text = transcribe(question)
    if not text:
        return
    for sentence in cut(reply(text)):
        yield speak(sentence)
""",
    "spans": """
def spans(marks):
    return [(name, end - start) for (_, start), (name, end) in zip(marks, marks[1:])]
""",
    "playback_starts": """
def playback_starts(ready, lengths):
    starts, end = [], 0.0
    for at, length in zip(ready, lengths):
        starts.append(max(at, end))
        end = starts[-1] + length
    return starts
""",
    "same_words": """
def same_words(early, final):
    import re
    words = lambda text: re.findall(r"[\\w']+", text.lower())
    return words(early) == words(final)
""",
    "heard_words": """
def heard_words(words, seconds):
    return " ".join(word.text for word in words if (word.start + word.end) / 2 < seconds)
""",
    "takes_the_turn": """
def takes_the_turn(text, seconds):
    words = text.lower().replace(",", " ").replace(".", " ").split()
    return seconds >= 0.5 or any(word not in {"mhm", "yes", "okay", "right"} for word in words)
""",
    "choose": """
def choose(chances, at_least):
    kind = max(chances, key=chances.get)
    return kind if chances[kind] >= at_least else "chat"
""",
    "confusion": """
def confusion(pairs):
    from collections import Counter
    return Counter(pairs)
""",
    "describe": """
def describe(function):
    types = inspect.get_annotations(function, eval_str=True)
    return {
        "name": function.__name__,
        "description": inspect.getdoc(function),
        "parameters": {name: each.__name__ for name, each in types.items() if name != "return"},
    }
""",
    "inside": """
def inside(folder, name):
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(name)
    return path
""",
    "frames_message": """
def frames_message(number, frames):
    return HEADER.pack(1, 0, len(frames), number) + (frames * 32767).astype("<i2").tobytes()
""",
    "without_holes": """
def without_holes(messages):
    due, pieces = messages[0][0], []
    for number, frames in messages:
        pieces += [np.zeros((number - due, FRAME), frames.dtype), frames]
        due = number + len(frames)
    return np.concatenate(pieces)
""",
    "may_come_in": """
def may_come_in(origin, host):
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()
""",
    "conversations_at_once": """
def conversations_at_once(per_minute, minutes):
    return per_minute * minutes
""",
    "replicas": """
def replicas(per_second, seconds, use):
    return max(1, math.ceil(per_second * seconds / use))
""",
    "price_of_an_hour": """
def price_of_an_hour(euros_a_month, at_once, busy):
    return euros_a_month / (at_once * 30 * 24 * busy)
""",
}

WRONG = {
    "rms_dbfs": [
        ("lambda frame: 20 * np.log10(max(abs(np.mean(frame)), 1e-10))", "square them first"),
        ("lambda frame: 10 * np.log10(max(np.sqrt(np.mean(frame**2)), 1e-10))", "20·log10"),
        ("lambda frame: 20 * np.log10(max(np.mean(frame**2), 1e-10))", "40 dB"),
        ("lambda frame: 20 * np.log10(np.sqrt(np.mean(frame**2)))", "minus infinity"),
        ("lambda frame: 20 * np.log10(max(np.sqrt(np.mean(frame**2)), 1e-3))", "floor"),
        ("lambda frame: np.log(np.sqrt(np.mean(frame**2)) + 1e-10)", "natural logarithm"),
        ("lambda frame: 20 * np.log10(np.abs(frame) + 1e-10)", "one number for a frame"),
        ("lambda frame: print(frame)", "`return`"),
    ],
    "in_frames": [
        ("lambda s: [s[a : a + FRAME] for a in range(0, len(s), FRAME)]", "np.pad"),
        ("lambda s: list(s[: len(s) // FRAME * FRAME].reshape(-1, FRAME))", "last sample is lost"),
        ("lambda s: [s[a : a + FRAME] for a in range(0, len(s) - FRAME, FRAME)]", "3 frames"),
        ("lambda s: np.pad(s, (0, FRAME - len(s) % FRAME)).reshape(-1, FRAME)", "last one empty"),
        ("lambda s: [s[n : n + FRAME] for n in range(-(-len(s) // FRAME))]", "not the sound"),
        ("lambda s: np.pad(s, (-len(s) % FRAME, 0)).reshape(-1, FRAME)", "left over first"),
    ],
    "mixed": [
        ("lambda s, n, snr: s + n / 10 ** (snr / 20)", "own level first"),
        (
            "lambda s, n, snr: s + n * np.sqrt(np.mean(s**2) / np.mean(n**2)) / 10 ** (snr / 10)",
            "10 ** (dB / 20)",
        ),
        (
            "lambda s, n, snr: s + n * np.sqrt(np.mean(s**2) / np.mean(n**2)) * 10 ** (snr / 20)",
            "wrong way round",
        ),
        ("lambda s, n, snr: s * 10 ** (snr / 20) + n", "should stay as it is"),
    ],
    "loud_frames": [
        ("lambda levels, margin: [level >= -50 for level in levels]", "fixed threshold"),
        ("lambda levels, margin: [level >= margin for level in levels]", "never hears"),
        ("lambda levels, margin: [level >= min(levels) for level in levels]", "everywhere"),
        (
            "lambda levels, margin: [level >= np.mean(levels) for level in levels]",
            "An average moves",
        ),
    ],
    "with_hysteresis": [
        ("lambda c, start, stop: [x >= start for x in c]", "one threshold"),
        ("lambda c, start, stop: [x >= stop for x in c]", "begins the speech"),
        ("lambda c, start, stop: [x >= start or i > 2 for i, x in enumerate(c)]", "end the speech"),
        ("lambda c, start, stop: [x for x in c if x >= start]", "as many answers"),
    ],
    "turn_ends": [
        (
            "lambda speech, hangover: [i for i, (a, b) in enumerate(zip(speech, speech[1:])) "
            "if a and not b and not any(speech[i + 1 : i + 1 + hangover])]",
            "nobody can know",
        ),
        (
            "lambda speech, hangover: [i + 1 for i, (a, b) in enumerate(zip(speech, speech[1:])) "
            "if a and not b]",
            "a breath",
        ),
        (
            "lambda speech, hangover: [i for i in range(hangover - 1, len(speech)) "
            "if not any(speech[i - hangover + 1 : i + 1])]",
            "two ends",
        ),
        ("lambda speech, hangover: []", "no end at all"),
    ],
    "word_error_rate": [
        ("lambda said, heard: float(said != heard)", "divide by the number"),
        ("lambda said, heard: 1 - 0 * len(said)", "how much is right"),
        (
            "lambda said, heard: (said != heard) / len(said)",
            "counts letters",
        ),
        (
            "lambda said, heard: sum(a != b for a, b in zip(said.split(), heard.split())) "
            "/ len(said.split())",
            "shifts the others",
        ),
        (
            "lambda said, heard: len(set(said.split()) - set(heard.split())) / len(said.split())",
            "nobody said cost nothing",
        ),
        (
            "lambda said, heard: max(len(set(said.split()) - set(heard.split())), "
            "len(set(heard.split()) - set(said.split()))) / len(said.split())",
            "knows no order",
        ),
        (
            "lambda said, heard: max(len(set(said.split()) - set(heard.split())), "
            "len(set(heard.split()) - set(said.split()))) "
            "/ max(len(heard.split()), len(said.split()))",
            "words heard",
        ),
        ("lambda said, heard: print(said)", "`return`"),
    ],
    "real_time_factor": [
        ("lambda transcribe, audio: transcribe(audio)", "gives back the text"),
        ("lambda transcribe, audio: time.perf_counter() - time.perf_counter()", "never calls"),
        (
            "lambda transcribe, audio: abs(-time.perf_counter() + (transcribe(audio) and "
            "time.perf_counter()))",
            "per second of sound",
        ),
        (
            "lambda transcribe, audio: audio.seconds / abs(-time.perf_counter() + "
            "(transcribe(audio) and time.perf_counter()))",
            "upside down",
        ),
        (
            "lambda transcribe, audio: 1000 * abs(-time.perf_counter() + (transcribe(audio) and "
            "time.perf_counter())) / audio.seconds",
            "milliseconds",
        ),
        (
            "lambda transcribe, audio: abs(transcribe(audio) and time.perf_counter() - "
            "time.perf_counter()) / audio.seconds",
            "stops before the work",
        ),
        (
            "lambda transcribe, audio: sum([transcribe(audio) and 1 for _ in range(3)])",
            "3 times",
        ),
    ],
    "is_invention": [
        (
            "lambda text, chances: text.lower().startswith('thank you')",
            "took 1.2 s",
        ),
        ("lambda text, chances: max(chances) < 0.5", "a click"),
        (
            "lambda text, chances: len(text) > 100 * sum(c > 0.5 for c in chances) * FRAME / RATE",
            "time for 24",
        ),
        ("lambda text, chances: np.mean(chances) < 0.5", "took 1.2 s"),
        ("lambda text, chances: len(text) <= 40 * sum(c > 0.5 for c in chances)", "nobody spoke"),
        (
            "lambda text, chances: len(text) > 40 * sum(c > 0.5 for c in chances)",
            "FRAME / RATE",
        ),
        (
            "lambda text, chances: len(text) > 40 * sum(c > 0.05 for c in chances) * FRAME / RATE",
            "above 0.5",
        ),
        (
            "lambda text, chances: len(text) + 1 > 40 * sum(c > 0.5 for c in chances) * FRAME/RATE",
            "never wrong",
        ),
    ],
    "first_token_time": [
        ("lambda tokens: next(tokens)", "the token itself"),
        ("lambda tokens: -time.perf_counter() + time.perf_counter()", "takes no token"),
        (
            "lambda tokens: -time.perf_counter() + (list(tokens) and time.perf_counter())",
            "whole answer",
        ),
        (
            "lambda tokens: (next(tokens) and -time.perf_counter()) + time.perf_counter()",
            "before you ask",
        ),
        (
            "lambda tokens: 1000 * (-time.perf_counter() + (next(tokens) and time.perf_counter()))",
            "in seconds",
        ),
        (
            "lambda tokens: -time.perf_counter() + (next(tokens, 1) and time.perf_counter())",
            "not None",
        ),
        ("lambda tokens: print(next(tokens))", "`return`"),
    ],
    "trimmed": [
        ("lambda m, budget, cost: m[-4:]", "persona is gone"),
        ("lambda m, budget, cost: [m[0], *m[-3:]]", "leaves some out"),
        ("lambda m, budget, cost: m", "three messages of 10 fit"),
        (
            "lambda m, budget, cost: m[:1] + [x for n, x in enumerate(m[1:], 1) "
            "if sum(map(cost, m[1 : n + 1])) <= budget]",
            "Begin at the end",
        ),
        (
            "lambda m, budget, cost: m[:1] + [x for n, x in enumerate(m[1:], 1) "
            "if sum(map(cost, m[n:])) <= budget]",
            "without its question",
        ),
        (
            "lambda m, budget, cost: m[:1] + [x for n, x in enumerate(m[1:], 1) "
            "if sum(map(cost, m[n:])) < budget]",
            "may be reached",
        ),
        (
            "lambda m, budget, cost: m[:1] + m[:0:-1]",
            "oldest to the newest",
        ),
        (
            """
def trimmed(messages, budget, cost):
    kept = []
    for message in reversed(messages[1:]):
        if cost(message) <= budget:
            budget -= cost(message)
            kept.insert(0, message)
    while kept and kept[0].role != "user":
        kept.pop(0)
    return [messages[0], *kept]
""",
            "there is a hole",
        ),
        (
            """
def trimmed(messages, budget, cost):
    while sum(map(cost, messages[1:])) > budget or messages[1].role != "user":
        messages.pop(1)
    return messages
""",
            "IndexError",
        ),
        (
            """
def trimmed(messages, budget, cost):
    while len(messages) > 2 and (
        sum(map(cost, messages[1:])) > budget or messages[1].role != "user"
    ):
        messages.pop(1)
    return messages
""",
            "it was given",
        ),
    ],
    "sentences": [
        ("lambda tokens: print(tokens)", "`yield`"),
        ("lambda tokens: ''.join(tokens)", "one text"),
        ("lambda tokens: [''.join(tokens)]", "at its end"),
        ("lambda tokens: re.findall(r'[^.!?]+[.!?]', ''.join(tokens))", "spaces around"),
        (
            "lambda tokens: [x.strip() for x in re.split(r'[.!?]', ''.join(tokens)) if x.strip()]",
            "marks are lost",
        ),
        (
            "lambda tokens: [x.strip() for x in re.findall(r'[^.!?]+[.!?]', ''.join(tokens))]",
            "takes the whole answer",
        ),
        (
            """
def sentences(tokens):
    gathered = ""
    for token in tokens:
        if gathered.endswith((".", "!", "?")):
            yield gathered.strip()
            gathered = ""
        gathered += token
    yield gathered.strip()
""",
            "a token late",
        ),
        (
            """
def sentences(tokens):
    gathered = ""
    for token in tokens:
        gathered += token
        if gathered.endswith((".", "!", "?")):
            yield gathered.strip()
""",
            "Begin anew",
        ),
        (
            """
def sentences(tokens):
    gathered = ""
    for token in tokens:
        gathered += token
        if gathered.endswith((".", "!", "?")):
            yield gathered.strip()
            gathered = ""
    if gathered.strip():
        yield gathered.strip()
""",
            "3.5",
        ),
        (
            """
def sentences(tokens):
    gathered = ""
    for token in tokens:
        gathered += token
        if gathered[-1] in ".!?" and not gathered[:-1].endswith(tuple("0123456789")):
            yield gathered.strip()
            gathered = ""
    if gathered.strip():
        yield gathered.strip()
""",
            "after “Dr.”",
        ),
        (
            """
def sentences(tokens):
    gathered = ""
    for token in tokens:
        gathered += token
        if gathered.endswith(ABBREVIATIONS) or gathered[-2:-1].isdigit():
            continue
        if gathered[-1] in ".!?":
            yield gathered.strip()
            gathered = ""
""",
            "is lost",
        ),
        (
            """
def sentences(tokens):
    gathered = ""
    for token in tokens:
        gathered += token
        if gathered.endswith(ABBREVIATIONS) or gathered[-2:-1].isdigit():
            continue
        if gathered[-1] in ".!?":
            yield gathered.strip()
            gathered = ""
    if gathered.strip():
        yield gathered.strip()
""",
            "Only a dot",
        ),
    ],
    "to_say": [
        ("lambda text, units: print(text)", "`return`"),
        ("lambda text, units: text", "stays as it is"),
        ("lambda text, units: re.sub(r'\\d ?km', units['km'], text)", "number is lost"),
        (
            "lambda text, units: text.replace('km/h', units['km/h']).replace('km', units['km'])"
            ".replace('%', ' percent')",
            "where no number",
        ),
        (
            """
def to_say(text, units):
    for sign, word in units.items():
        text = re.sub(rf"(\\d) ?{re.escape(sign)}(?!\\w)", rf"\\1 {word}", text)
    return text
""",
            "The longest first",
        ),
        (
            """
def to_say(text, units):
    for sign in sorted(units, key=len, reverse=True):
        text = re.sub(rf"(\\d) ?{re.escape(sign)}", rf"\\1 {units[sign]}", text)
    return text
""",
            "go on as a word",
        ),
        (
            """
def to_say(text, units):
    for sign in sorted(units, key=len, reverse=True):
        text = re.sub(rf"(\\d) ?{re.escape(sign)}\\b", rf"\\1 {units[sign]}", text)
    return text
""",
            "it is no letter",
        ),
        (
            """
def to_say(text, units):
    for sign in sorted(units, key=len, reverse=True):
        text = re.sub(rf"(\\d)( ?){re.escape(sign)}(?!\\w)", rf"\\1\\2{units[sign]}", text)
    return text
""",
            "has no space",
        ),
    ],
    "answer": [
        ("lambda q, hear, reply, cut, speak: map(speak, cut(reply(hear(q))))", "no words, and yet"),
        (
            "lambda q, hear, reply, cut, speak: [speak(s) for s in cut(reply(hear(q)))]",
            "had to finish",
        ),
        ("lambda q, hear, reply, cut, speak: map(speak, reply(hear(q)))", "full stop"),
        ("lambda q, hear, reply, cut, speak: speak(''.join(reply(hear(q))))", "one sound"),
        ("lambda q, hear, reply, cut, speak: print(hear(q))", "nothing back"),
        ("lambda q, hear, reply, cut, speak: map(speak, cut(reply(q)))", "never transcribed"),
    ],
    "spans": [
        ("lambda m: [(n, t - m[0][1]) for n, t in m[1:]]", "by itself"),
        ("lambda m: [(a[0], b[1] - a[1]) for a, b in zip(m, m[1:])]", "at its end"),
        ("lambda m: [(b[0], a[1] - b[1]) for a, b in zip(m, m[1:])]", "other way round"),
        ("lambda m: [(b[0], 1000 * (b[1] - a[1])) for a, b in zip(m, m[1:])]", "milliseconds"),
        ("lambda m: m", "marks themselves"),
    ],
    "playback_starts": [
        ("lambda ready, lengths: list(ready)", "both speak at once"),
        ("lambda ready, lengths: [ready[0] + sum(lengths[:n]) for n in range(3)]", "its sound is"),
        ("lambda ready, lengths: [0.0, 2.0, 3.0]", "before its sound is made"),
        (
            "lambda ready, lengths: [at + sum(lengths[:n]) for n, at in enumerate(ready)]",
            "the later of two",
        ),
        ("lambda ready, lengths: [3.0, 4.0, 7.0]", "when they begin"),
    ],
    "same_words": [
        ("lambda early, final: early == final", "capitals and marks"),
        ("lambda early, final: final.lower().startswith(early.lower())", "another question"),
        (
            "lambda a, b: len({frozenset(x.lower().strip('?!. ').split()) for x in (a, b)}) == 1",
            "order of the words",
        ),
        (
            "lambda a, b: re.sub(r'\\W', '', a.lower()) == re.sub(r'\\W', '', b.lower())",
            "not letters",
        ),
    ],
    "heard_words": [
        ("lambda words, t: ' '.join(w.text for w in words if w.end <= t)", "more than half"),
        ("lambda words, t: ' '.join(w.text for w in words if w.start < t)", "and it counts"),
        ("lambda words, t: ' '.join(w.text for w in words if w.start <= t)", "first sample"),
        ("lambda words, t: [w.text for w in words if w.end < t]", "joined by spaces"),
        ("lambda words, t: ''.join(w.text for w in words if w.end < t)", "joined by spaces"),
    ],
    "takes_the_turn": [
        ("lambda text, seconds: True", "without words stops"),
        ("lambda text, seconds: bool(text) or seconds >= 0.5", "go on, I am listening"),
        ("lambda text, seconds: seconds >= 0.5", "because it is short"),
        (
            "lambda t, s: s >= 0.5 or bool(t) and t not in ('mhm', 'yes', 'okay', 'right')",
            "capital",
        ),
        (
            "lambda text, s: s >= 0.5 or bool(text) and "
            "text.lower().strip('.').split()[0].strip(',') not in ('mhm', 'yes', 'okay', 'right')",
            "goes on",
        ),
        ("lambda text, s: text in ('stop', 'no wait', 'right but what about latency')", "0.6 s"),
    ],
    "choose": [
        ("lambda chances, sure: max(chances, key=chances.get)", "nobody asked for"),
        ("lambda chances, sure: max(chances.values())", "a chance, not a kind"),
        (
            "lambda chances, sure: max(chances, key=chances.get) if max(chances.values()) > sure "
            "else 'chat'",
            "at least 60 %",
        ),
        (
            "lambda chances, sure: max(chances, key=chances.get) if max(chances.values()) >= sure "
            "else None",
            "nsure, it should talk",
        ),
        ("lambda chances, sure: 'skill' if chances['skill'] >= sure else 'chat'", "60 %"),
    ],
    "confusion": [
        ("lambda pairs: {(b, a): pairs.count((a, b)) for a, b in pairs}", "swapped"),
        ("lambda pairs: {p: pairs.count(p) for p in pairs if p[0] != p[1]}", "right ones"),
        ("lambda pairs: {p: 1 for p in pairs}", "what is there already"),
        ("lambda pairs: sum(a == b for a, b in pairs)", "a dictionary"),
    ],
    "describe": [
        (
            "lambda f: {'name': f.__name__, 'description': f.__doc__, 'parameters': "
            "{n: t for n, t in f.__annotations__.items() if n != 'return'}}",
            "indentation",
        ),
        (
            "lambda f: {'name': f.__name__, 'description': inspect.getdoc(f), "
            "'parameters': inspect.get_annotations(f, eval_str=True)}",
            "without “return”",
        ),
        (
            "lambda f: {'name': f.__name__, 'description': inspect.getdoc(f), 'parameters': "
            "{n: p.annotation for n, p in inspect.signature(f, eval_str=True).parameters.items()}}",
            "by name",
        ),
        ("lambda f: f('fern', 1.0)", "under water"),
        ("lambda f: {'name': f.__name__, 'parameters': {}}", "description is missing"),
    ],
    "inside": [
        ("lambda folder, name: folder / name", "through “..”"),
        (
            "lambda folder, name: int('x') if '..' in name else folder / name",
            "place of its own",
        ),
        (
            "lambda folder, name: (folder / name).resolve() "
            "if str((folder / name).resolve()).startswith(str(folder)) else int('x')",
            "compare paths",
        ),
        (
            "lambda folder, name: folder / name if '..' not in name and name[0] != '/' "
            "else int('x')",
            "a link out",
        ),
        ("lambda folder, name: folder / Path(name).name", "is allowed"),
    ],
    "frames_message": [
        ("lambda number, frames: (frames * 32767).astype('<i2').tobytes()", "no header"),
        (
            "lambda number, frames: HEADER.pack(1, 0, len(frames), number) + frames.tobytes()",
            "four bytes for each sample",
        ),
        (
            "lambda number, frames: HEADER.pack(1, 0, frames.size, number) "
            "+ (frames * 32767).astype('<i2').tobytes()",
            "not how many samples",
        ),
        (
            "lambda number, frames: HEADER.pack(1, 0, len(frames), number) "
            "+ (frames * 32768).astype('<i4').astype('<i2').tobytes()",
            "a loud click",
        ),
        (
            "lambda number, frames: HEADER.pack(1, 0, len(frames), number) "
            "+ (frames * 32767).astype('>i2').tobytes()",
            "wrong order",
        ),
        (
            "lambda number, frames: HEADER.pack(1, 0, len(frames), number) "
            "+ frames.astype('<i2').tobytes()",
            "verything is silent",
        ),
        (
            "lambda number, frames: HEADER.pack(1, 0, len(frames), 0) "
            "+ (frames * 32767).astype('<i2').tobytes()",
            "from number 0 on",
        ),
        ("lambda number, frames: {'number': number, 'frames': frames}", "message is bytes"),
    ],
    "without_holes": [
        ("lambda messages: np.concatenate([f for _, f in messages])", "time runs short"),
        (
            "lambda messages: np.concatenate([p for (a, x), (b, _) in zip(messages, messages[1:]) "
            "for p in ([x] if a + len(x) == b else [x, np.zeros((1, FRAME))])] "
            "+ [messages[-1][1]])",
            "however long it is",
        ),
        (
            "lambda m: np.concatenate([f for _, f in m] + [np.zeros((m[-1][0] + len(m[-1][1]) "
            "- m[0][0] - sum(len(f) for _, f in m), FRAME))])",
            "all at the end",
        ),
        (
            "lambda m: np.concatenate([np.zeros((m[0][0], FRAME))] + [p for (a, x), (b, _) "
            "in zip(m, m[1:]) for p in (x, np.zeros((b - a - len(x), FRAME)))] + [m[-1][1]])",
            "time begins there",
        ),
        ("lambda messages: [f for _, f in messages][0][0]", "below each other"),
    ],
    "may_come_in": [
        ("lambda origin, host: True", "in your name"),
        ("lambda origin, host: origin is None or host in origin", "in it"),
        ("lambda origin, host: origin is None or origin.endswith(host)", "only ends like it"),
        (
            "lambda origin, host: origin is not None and urlsplit(origin).netloc == host",
            "is kept out",
        ),
        (
            "lambda origin, host: origin is None "
            "or urlsplit(origin).hostname == host.split(':')[0]",
            "at another port",
        ),
        ("lambda origin, host: origin is None or urlsplit(origin).netloc == host", "in capitals"),
        (
            "lambda origin, host: origin in (None, 'null') or urlsplit(origin).netloc == host",
            "a page without a place",
        ),
    ],
    "conversations_at_once": [
        ("lambda per_minute, minutes: per_minute / minutes", "Do not divide"),
        ("lambda per_minute, minutes: per_minute * 60 * minutes", "not in a second"),
        ("lambda per_minute, minutes: per_minute", "those of the last four minutes"),
        ("lambda per_minute, minutes: round(per_minute * minutes)", "Do not round"),
    ],
    "replicas": [
        ("lambda per_second, seconds, use: math.ceil(per_second * seconds)", "without end"),
        ("lambda per_second, seconds, use: per_second * seconds * use", "do not multiply"),
        ("lambda per_second, seconds, use: per_second * seconds / use", "only whole ones"),
        ("lambda per_second, seconds, use: round(per_second * seconds / use)", "Round up"),
        ("lambda per_second, seconds, use: int(per_second * seconds / use) + 1", "not 11"),
        ("lambda per_second, seconds, use: math.ceil(per_second * seconds / use)", "one there"),
    ],
    "price_of_an_hour": [
        ("lambda euros, at_once, busy: euros / (at_once * 30 * 24)", "day and night"),
        ("lambda euros, at_once, busy: euros / (30 * 24 * busy)", "divide by them"),
        ("lambda euros, at_once, busy: euros / (at_once * 30 * 24) * busy", "dearer"),
        ("lambda euros, at_once, busy: euros / at_once / busy", "How many hours"),
        ("lambda euros, at_once, busy: euros / (at_once * 30 * busy)", "not 30"),
    ],
}
