# %% [markdown]
# # Give it a voice
#
# **You will build** a cutter of sentences that loses no time, and a reader of signs.
# **Needs** nothing but this notebook; Kokoro if you have it. **Time** 20 minutes.
#
# Microphone → hear → think → **speak** → loudspeaker: you are here, where words become sound.

# %% tags=["parameters"]
LIVE = False  # True when you sit at a machine with a microphone
ENGINES = "offline"  # "best" takes the best engines that are here

# %% [markdown]
# ## Text to phonemes
#
# ![Text is first written out in words, words become phonemes, and phonemes become
# sound](../figures/voice.svg)
#
# Letters do not say how they sound. So every voice first turns text into **phonemes**, one sign for
# each sound of the language; ˈ stands before the syllable that is stressed, ː after a long vowel.
# The classic program for it is espeak-ng, which even modern neural voices ask. It comes inside the
# kit, so we can ask it too:

# %%
# %matplotlib inline
import ctypes
import time
import warnings
from itertools import pairwise

import espeakng_loader
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display

from voice_kit import Audio, engines
from voice_kit.settings import Settings, load_settings
from voice_kit.workshop import by_hand

espeak = engines.make("tts", "espeak", Settings())  # this loads the library
library = ctypes.CDLL(espeakng_loader.get_library_path())
library.espeak_TextToPhonemes.restype = ctypes.c_char_p


def phonemes(text, voice="en-us"):
    """How this would be said, in the signs of the International Phonetic Alphabet."""
    library.espeak_SetVoiceByName(voice.encode())
    rest, clauses = ctypes.c_char_p(text.encode()), []
    while rest.value:
        clauses.append(library.espeak_TextToPhonemes(ctypes.byref(rest), 1, 2).decode())
    return " ".join(clauses)


for text in ("I read a book.", "I have read a book.", "though, through, tough, thorough"):
    print(f"{text:<35} {phonemes(text)}")
for voice in ("fr", "en-us"):
    print(f"{'Je ne sais pas. (voice: ' + voice + ')':<35} {phonemes('Je ne sais pas.', voice)}")

# %% [markdown]
# “read” sounds in two ways, and the word before decides; “ough” in four, and nothing decides but
# a dictionary. And a sentence in the wrong language becomes nonsense before any sound is made.

# %% [markdown]
# ## Phonemes to sound
#
# A voice is a buzz, from the vocal cords, in a tube, the mouth. The tube makes some pitches louder,
# its **formants**; move the tongue, and they move. Two or three of them are enough to know a vowel.
# Here is a sentence without consonants, made by hand: the only tables are those of the vowels.

# %%
RATE = 16_000
FORMANTS = {  # in Hz: where the tube of a man's mouth is loud
    "a": (730, 1090, 2440),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}


def by_formants(vowels, each=0.16, pitch=(130, 90)):
    """These vowels, gliding from one to the next; the voice falls as at the end of a sentence."""
    count = round(each * len(vowels) * RATE)
    place = np.linspace(0, len(vowels) - 1, count)
    targets = np.array([FORMANTS[vowel] for vowel in vowels])
    tube = [np.interp(place, range(len(vowels)), targets[:, n]) for n in range(3)]
    cords = np.linspace(*pitch, count)  # Hz
    phase = 2 * np.pi * np.cumsum(cords) / RATE
    sound = np.zeros(count)
    for harmonic in range(1, 40):  # the buzz is its pitch, and twice that, three times, …
        tone = harmonic * cords
        gain = sum(1 / (1 + ((tone - formant) / 60) ** 2) for formant in tube)
        sound += gain / harmonic**0.5 * np.sin(harmonic * phase)
    edge = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.03 * RATE))
    return Audio((0.5 * sound / np.abs(sound).max() * edge).astype(np.float32), RATE)


def spoken(voice, text):
    """A text as one sound."""
    parts = [speech.audio for speech in by_hand.speak(voice, text)]
    return Audio(np.concatenate([part.samples for part in parts]), parts[0].rate)


handmade = by_formants("aiouiu")
machine = spoken(espeak, "I owe you.")
figure, both = plt.subplots(1, 2, figsize=(9, 3), layout="constrained", sharey=True)
for axes, (name, sound) in zip(both, {"by hand": handmade, "espeak": machine}.items(), strict=True):
    print(f"{name}: “I owe you.” {sound.seconds:.1f} s")
    display(sound)
    size = round(0.03 * sound.rate)
    axes.specgram(sound.samples + 1e-6, NFFT=size, Fs=sound.rate, noverlap=size * 3 // 4, vmin=-120)
    axes.set(title=name, xlabel="seconds", ylim=(0, 4000))
both[0].set_ylabel("Hz")
plt.show()
print("The bright bands are the formants. In both, the second one jumps up for the “i”s")
print("and falls for “o” and “u”: that movement is what you hear as speech.")

# %% [markdown]
# espeak does just this, with a table for each phoneme and rules between them: tiny, quick, and
# a robot. A **neural voice** such as Kokoro has learnt from people how phonemes become sound: the
# melody, the breath, what a table forgets. It also starts from phonemes. Its own few lines:

# %%
try:
    from voice_kit.speak.kokoro_words import kokoro_quiet
    from voice_kit.speak.tts_kokoro import Kokoro

    voice_name = Kokoro.here()
except Exception as missing:  # the package, or its files
    print(missing)
    print("The lesson goes on without.")
else:
    warnings.filterwarnings("ignore", module="torch")  # about how kokoro was written
    with kokoro_quiet():  # it changes how all of Python logs
        from kokoro import KPipeline
        from misaki.espeak import EspeakG2P
    pipeline = KPipeline("e", repo_id="hexgrad/Kokoro-82M")  # "a" would fetch more from the network
    pipeline.g2p = EspeakG2P(language="en-us")
    for result in pipeline("I owe you.", voice=voice_name):
        print(f"{voice_name} says {result.phonemes}")
        display(Audio(result.audio.numpy(), 24_000))

# %% [markdown]
# ## The package's voice
#
# The package takes the best voice that is here. What it adds: one interface for all of them, the
# time of each word, which tells what was *heard* when you interrupt, and parts that can be stopped.

# %%
offline = {"tts": "espeak"}
settings = load_settings() if ENGINES == "best" else Settings().changed(offline)
choice = engines.choose("tts", settings)
tts = engines.make("tts", choice.spec, settings)
print(choice)
if ENGINES != "best":
    print(f'With ENGINES = "best" it would be {engines.choose("tts", Settings())}')

for speech in by_hand.speak(tts, "A voice is a buzz in a tube."):
    display(speech.audio)
    print("  ".join(f"{word.start:.2f} {word.text}" for word in speech.words) or "no word times")

# %% [markdown]
# ## Sentence by sentence
#
# The model writes token by token. Its whole answer may take seconds, and its first sentence one. So
# a voice is given each sentence as soon as it is complete, and says it while the next is written.
#
# But where does a sentence end? There is a dot in 3.5 and one after Dr., and neither is an end.
#
# **Exercise.** Yield each sentence *with the token that completes it*, not one later: that is when
# its last character is `.`, `!` or `?`. A dot after a digit, or one that belongs to
# `ABBREVIATIONS`, ends none. What is left in the end is a sentence too.

# %%
ABBREVIATIONS = ("Dr.", "Mr.", "Mrs.", "e.g.")


# %% tags=["exercise"]
def sentences(tokens):
    """Yield the sentences of these tokens, without spaces around them, each as soon as it ends."""
    ### BEGIN SOLUTION
    gathered = ""
    for token in tokens:
        gathered += token
        sentence = gathered.strip()
        if not sentence.endswith((".", "!", "?")) or sentence.endswith(ABBREVIATIONS):
            continue
        if sentence[-1] == "." and sentence[-2:-1].isdigit():
            continue
        yield sentence
        gathered = ""
    if gathered.strip():
        yield gathered.strip()
    ### END SOLUTION


# %% tags=["check"]
from voice_kit.workshop.checks import check, hint, mine

check(sentences)

# %%
from voice_kit.speak import split

cut = mine(sentences, otherwise=split.sentences)
hard = ["Dr", ". Wu", " took", " 3", ".", "5 ml", ". It", " was 1999", ". At", " 5 p.m", "."]
hard += [" he", " left", ". “", "Why", "?”", " she", " asked", "."]
for name, cutter in (("yours", cut), ("the package’s", split.sentences)):
    print(f"{name:<14}", *cutter(hard), sep="\n  ")

# %% [markdown]
# Here marks stand in the middle of tokens, as they often do; there are years, times, quotes. The
# package decides by characters and not by tokens, where it must looks one word ahead, knows
# abbreviations in many languages, and cuts an overlong first sentence at a comma.

# %% [markdown]
# ## The first sentence decides
#
# ![All at once: write, make sound, then hear it, after a long silence. Sentence by sentence: the
# first is heard while the second is written](../figures/first_sentence.svg)
#
# How much is it worth? We let an answer come at twenty tokens a second, as from a small model on
# a laptop, and measure when each sound is ready: once for the whole answer, once by sentence. That
# takes five seconds, and more with a better voice.

# %%
ANSWER = (
    "Latency is the time you wait for an answer. In a spoken conversation, people notice anything "
    "beyond about half a second. Measure before you change anything. The largest part is often "
    "not the model, but the wait to be sure that you have finished."
)
PACE = 20  # tokens a second


def slowly(text):
    """The text as a stream of tokens, at this pace."""
    for word in text.split():
        time.sleep(1 / PACE)
        yield " " + word


def played(pieces):
    """For each piece of text: when its sound is ready, when it plays, and for how long."""
    began, end, found = time.perf_counter(), 0.0, []
    for piece in pieces:
        length = spoken(tts, piece).seconds
        ready = time.perf_counter() - began
        start = max(ready, end)  # one after the other
        end = start + length
        found.append((ready, start, length))
    return found


spoken(tts, "Warm up.")
ways = {
    "whole answer": played("".join(each) for each in [slowly(ANSWER)]),
    "by sentence": played(cut(slowly(ANSWER))),
}
figure, axes = plt.subplots(figsize=(9, 2.2), layout="constrained")
for row, found in enumerate(ways.values()):
    axes.barh(row, found[0][1], color="lightgray", hatch="//", edgecolor="gray")
    for number, (_, start, length) in enumerate(found):
        axes.barh(row, length, left=start, color=f"C{number}", edgecolor="white")
        label = str(number + 1) if len(found) > 1 else "all of it"
        axes.text(start + length / 2, row, label, ha="center", va="center", color="white")
axes.set(
    yticks=range(len(ways)), yticklabels=ways, xlabel="seconds: first silence (hatched), then sound"
)
plt.show()
for name, found in ways.items():
    gaps = [b[1] - a[1] - a[2] for a, b in pairwise(found)]
    print(f"{name:<13} first sound after {found[0][1]:.2f} s, the end after", end=" ")
    print(f"{found[-1][1] + found[-1][2]:.1f} s, {sum(gaps):.2f} s of gaps between sentences")

# %% [markdown]
# Only the first sentence is waited for. While it plays, the next ones are written and made, and
# there is time for that, as long as the voice makes its sound quicker than it plays; where it does
# not, there are gaps. So a persona that begins with a short sentence makes an assistant feel quick.

# %% [markdown]
# ## What is not a word
#
# A voice is given what the model writes, and models write signs.

# %%
for text in (
    "It is 3 km.",
    "at 3 km/h",
    "It costs $5.50.",
    "**Stop** now",
    "See https://x.org/?a=1",
):
    print(f"{text:<25} {phonemes(text)}")

# %% [markdown]
# “kay em”, “slash aitch”, “dollar five point five zero”, “asterisk asterisk”: nobody talks like
# that.
#
# **Exercise.** Say units: after a number, with or without a space between, each of the signs
# becomes its word. Other places where the same letters stand are left alone.

# %%
import re

UNITS = {"km": "kilometres", "m": "metres", "km/h": "kilometres per hour", "%": "percent"}


# %% tags=["exercise"]
def to_say(text, units):
    """The text with the units after numbers in words; `units` maps each sign to its word."""
    ### BEGIN SOLUTION
    for sign in sorted(units, key=len, reverse=True):
        text = re.sub(rf"(\d) ?{re.escape(sign)}(?!\w)", rf"\1 {units[sign]}", text)
    return text
    ### END SOLUTION


# %% tags=["check"]
check(to_say)

# %% [markdown] tags=["solution"]
# The longest sign first, or “km/h” becomes “kilometres/h”; and no letter after it, or “5 min”
# becomes “5 metresin”.

# %%
from voice_kit.speak.aloud import aloud
from voice_kit.workshop.exercises.speaking import with_units

worded = mine(to_say, otherwise=with_units)
print("with your units:", worded("At 3 km/h it takes 20 min for 2 km, or 5% less.", UNITS))
print("the package’s `aloud`:")
for text in (
    "At 3 km/h, **not** faster.",
    "It costs $5.50 at 14:30.",
    "- `pip install` it, see https://example.org/x?y=1 😀",
    "Half of it: 1/2 of 20 °C",
):
    print(f"  {text}\n    → {aloud(text)}")

# %% [markdown]
# `aloud` takes out what cannot be said, and turns signs into words in five languages. It is quicker
# and surer than asking a model to write no signs; do both.

# %% [markdown]
# ## Whose voice?
#
# A voice has a language, a person and a pace. A language is no accent: a French sentence in an
# English voice is what you saw as phonemes above.

# %%
from voice_kit.speak.tts_espeak import Espeak

SENTENCE = "I speak one sentence while the next is still being written."
for voice, text, pace in (
    ("en-us", SENTENCE, 1.0),
    ("en-gb-scotland", SENTENCE, 1.0),
    ("en-us", SENTENCE, 1.4),
    ("fr", "Je parle pendant que la suite est écrite.", 1.0),
):
    sound = spoken(Espeak(voice, speed=pace), text)
    print(f"{voice} at {pace} times its pace, {sound.seconds:.1f} s: “{text}”")
    display(sound)
print(f"espeak has {len(Espeak.voices())} voices, all of them robots; here are four.")

# %%
try:
    from voice_kit.speak.tts_kokoro import Kokoro

    people = [voice for voice in Kokoro.voices() if voice.language == settings.language]
except Exception as missing:
    print(missing)
else:
    print(f"Kokoro has for “{settings.language}”:", ", ".join(voice.name for voice in people))
    print("Two names with a comma between give a voice between two people: kokoro:NAME,NAME")
    if not any(voice.here for voice in people):
        print("None of them is on this machine.")

# %% [markdown]
# ## OPTIONAL: the field
#
# - **espeak-ng** (`--tts espeak`): a hundred languages, always there, a robot. GPL.
# - **Kokoro** (`--tts kokoro:af_heart`): the most natural that a laptop makes in time; eight
#   languages.
# - **Piper** (`--tts piper:FILE.onnx`): quicker and smaller, for a Raspberry Pi; many languages.
#   GPL.
# - **KittenTTS**: 25 MB of English; for the smallest machines.
# - **The clouds** (`--tts openai`, `--tts elevenlabs`): actors’ voices; every sentence leaves the
#   house, and its first sound comes as late as your network.
# - **Voices that clone** (XTTS, F5): yours from ten seconds of it. Ask whose voice it is first.

# %% [markdown]
# ## Things to try
#
# - `PACE = 5`. Are there gaps now? What would a voice need to bridge them?
# - Say “You owe me” with `by_formants`, or your name, without its consonants.
# - `voice-kit voices` and `voice-kit say "Hello" --tts espeak:it`; then `tts` in `voice-kit.toml`.

# %% [markdown]
# ## What you built
#
# A cutter of sentences that waits for nothing, and a reader of units. You can say how text becomes
# sound, why the first sentence decides how quick an assistant feels, and what a voice should never
# be given.
#
# Next: [The first conversation](06_the_first_conversation.ipynb)
