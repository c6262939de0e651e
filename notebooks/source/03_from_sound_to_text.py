# %% [markdown]
# # From sound to text
#
# **You will build** the three rulers for a recogniser: how wrong it is, how slow it is, and what
# it makes up.
# **Needs** nothing but this notebook; a Whisper model if you have one. **Time** 20 minutes.
#
# Microphone → **hear** → think → speak → loudspeaker: you are here, where sound becomes words.

# %% tags=["parameters"]
LIVE = False  # True when you sit at a machine with a microphone
ENGINES = "offline"  # "best" takes the best engines that are here

# %% [markdown]
# ## What a recogniser sees
#
# No recogniser reads samples. First the sound becomes a picture: how much of each pitch there is,
# a column every 10 milliseconds. The ear hears low pitches finely and high ones coarsely, and so
# do the 80 rows of the picture; that scale is called **mel**. By hand it is this much:

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display

from voice_kit import RATE, Audio, VoiceKitError
from voice_kit.sounds import clip

WINDOW, STEP = 400, 160  # samples: 25 ms of sound for each column, a column every 10 ms


def mel_bands(count=80):
    """How much of each of 201 frequencies goes into each band: triangles, side by side."""
    top = 2595 * np.log10(1 + 8000 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, count + 2) / 2595) - 1)
    pitch = np.fft.rfftfreq(WINDOW, 1 / RATE)
    up = (pitch - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - pitch) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(up, down))


def picture(samples):
    """The sound as Whisper is shown it: 80 rows, a column every 10 ms, in powers of ten."""
    padded = np.pad(samples, WINDOW // 2)
    pieces = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::STEP]
    power = np.abs(np.fft.rfft(pieces * np.hanning(WINDOW))) ** 2
    logs = np.log10(np.maximum(power @ mel_bands().T, 1e-10)).T
    return np.maximum(logs, logs.max() - 8)


asked = clip("question_recognition")
sound = asked.audio()
display(sound)
print(f"Somebody asks: “{asked.text}”")

seen = picture(sound.samples)
figure, axes = plt.subplots(figsize=(9, 2.6), layout="constrained")
axes.imshow(seen, origin="lower", aspect="auto", extent=(0, sound.seconds, 0, 80), cmap="magma")
axes.set(xlabel="seconds", ylabel="band, low to high", title=f"“{asked.text}”")
plt.show()
low, high = seen[:20].mean(axis=0), seen[50:].mean(axis=0)
hiss = int(np.argmax(high - low))
print(f"{seen.shape[0]} bands, {seen.shape[1]} columns. The stripes below are the voice’s pitch.")
print(f"At {hiss / 100:.2f} s it is all hiss and no voice: the “t” of “recognition”, said as “sh”.")

# %% [markdown]
# ## Thirty seconds, always
#
# ![Sound becomes a picture thirty seconds wide; the encoder looks at all of it once; the decoder
# writes the text a piece of a word at a time and looks back for each](../figures/recogniser.svg)
#
# Whisper was trained on pieces of thirty seconds, so it is always shown thirty seconds: a longer
# sound is cut into such windows, a shorter one is filled up with silence. One network, the
# **encoder**, looks at the whole window once; another, the **decoder**, then writes the words, a
# piece of a word at a time, looking back at the window for each.

# %%
whole = picture(np.pad(sound.samples, (0, 30 * RATE - len(sound.samples))))
figure, axes = plt.subplots(figsize=(9, 1.8), layout="constrained")
axes.imshow(whole, origin="lower", aspect="auto", extent=(0, 30, 0, 80), cmap="magma")
axes.set(xlabel="seconds", yticks=[], title="what Whisper is shown of it")
plt.show()
print(f"{sound.seconds:.1f} s of speech, {30 - sound.seconds:.1f} s of silence behind it:")
print(f"{sound.seconds / 30:.0%} of what the encoder computes is about what you said.")

# %% [markdown]
# So “stop” costs the encoder as much as a speech of half a minute. How much that is follows from
# the sizes that OpenAI published: how many layers, how wide. Count the multiplications, see how
# many this machine does in a second, and you have a guess before you download anything.

# %%
import time

SIZES = {"tiny": (4, 384), "base": (6, 512), "small": (12, 768), "medium": (24, 1024)}
SIZES["large"] = (32, 1280)
PLACES, VOCABULARY = 1500, 51_865  # two columns of the picture make a place; pieces of words

one, other = np.random.default_rng(1).normal(size=(2, 1024, 1024)).astype(np.float32)
one @ other
began = time.perf_counter()
for _ in range(10):
    one @ other
speed = 10 * 1024**3 / (time.perf_counter() - began)

print(f"Just now this machine does {speed / 1e9:.0f} billion multiplications a second.")
print(f"{'':8}{'weights':>12}{'for a window':>16}{'perhaps':>12}")
for size, (layers, width) in SIZES.items():
    weights = layers * 28 * width**2 + VOCABULARY * width
    window = layers * (12 * width**2 * PLACES + 2 * PLACES**2 * width)
    sizes = f"{weights / 1e6:9.0f} M {window / 1e9:12.0f} bn"
    print(f"{size:8}{sizes} {window / speed:9.1f} s")

# %% [markdown]
# That is the encoder alone, calculated, not measured: each piece of a word comes on top, and good
# programs multiply small whole numbers, which is faster. But the proportions hold, and they tell
# why people put up with `tiny` and `base`: every answer waits for this window.

# %% [markdown]
# ## Words, at last
#
# The package takes the best recogniser that is here. It is loaded once and then used for
# everything below. Without a Whisper that is PocketSphinx, which is twenty years older: it knows
# some questions and commands by heart, and guesses the rest.

# %%
from voice_kit import engines
from voice_kit.settings import Settings, load_settings

offline = {"stt": "sphinx"}
settings = load_settings() if ENGINES == "best" else Settings().changed(offline)
choice = engines.choose("stt", settings)
stt = engines.make("stt", choice.spec, settings)
print(choice)
if ENGINES != "best":
    print(f'With ENGINES = "best" it would be {engines.choose("stt", Settings())}')

# %%
from voice_kit.workshop import by_hand
from voice_kit.workshop.lab_engines import timed


def heard_in(audio):
    """The words of a sound."""
    return by_hand.transcribe(stt, audio).text


for name in ("question_recognition", "question_barge_in", "free_weather"):
    recording = clip(name)
    display(recording.audio())
    print(f"said:  {recording.text}\nheard: {heard_in(recording.audio())}")

# %% [markdown]
# `heard_in` is all there is to it: sound in, text out. Whisper, if it is here, also gives capitals
# and commas, for a hundred languages, and says how sure it is. These are its own few lines:

# %%
try:
    from faster_whisper import WhisperModel

    from voice_kit.hear.stt_whisper import FasterWhisper
    from voice_kit.hear.stt_whisper_models import folder_of

    name = FasterWhisper.here()
except Exception as missing:  # the package, or a model
    whisper = None
    print(missing)
    print("The lesson goes on without.")
else:
    whisper = WhisperModel(str(folder_of(name)), device="cpu", compute_type="int8")
    segments, _ = whisper.transcribe(sound.samples, language="en", temperature=0.0)
    for segment in segments:
        print(f"{segment.start:.1f}–{segment.end:.1f} s:{segment.text}")
        print(f"chance that nobody spoke: {segment.no_speech_prob:.2f}", end=", ")
        print(f"mean log-probability of a piece: {segment.avg_logprob:.2f}")

# %% [markdown]
# ## How wrong is it?
#
# Count the words that you would have to change, put in or strike out to get from what was heard to
# what was said, and divide by the number of words that were said. That is the **word error rate**.
# It can be more than 1: whoever invents ten words for one that was said is wrong ten times.
#
# **Exercise.** Write it. The words come without capitals and punctuation, with spaces between.


# %% tags=["exercise"]
def word_error_rate(said, heard):
    """The fewest words to change, put in or strike out, per word that was said."""
    ### BEGIN SOLUTION
    said, heard = said.split(), heard.split()
    row = list(range(len(heard) + 1))  # nothing was said: every word heard is one too many
    for number, word in enumerate(said, 1):
        last, row = row, [number]
        for place, guess in enumerate(heard):
            row.append(min(last[place] + (word != guess), last[place + 1] + 1, row[place] + 1))
    return row[-1] / len(said)
    ### END SOLUTION


# %% tags=["check"]
from voice_kit.workshop.checks import check, hint, mine

check(word_error_rate)

# %% [markdown] tags=["solution"]
# Each row says how many mistakes there are up to here, for every number of words heard so far.

# %%
from voice_kit.workshop.exercises.transcribing import distance

wer = mine(word_error_rate, otherwise=lambda said, heard: distance(said, heard) / len(said.split()))
said = "so we walked home along the river"
for heard in (said, "so we want come along the river", "we walked home", "oh so we walked home"):
    print(f"{wer(said, heard):4.0%}  {heard}")

# %% [markdown]
# “want come” for “walked home”: it sounds alike, and both are English. Sounds alone do not settle
# what was said; a recogniser also has to know what people say. PocketSphinx shows it well, for one
# can take its knowledge away. The package lets it listen twice, once for anything, once for the
# questions that it knows by heart, and believes those when they fit about as well. Here it may
# only guess:

# %%
from pocketsphinx import Decoder

decoder = Decoder(samprate=16000, loglevel="FATAL")


def open_guess(audio):
    """What PocketSphinx hears when anything may be said."""
    decoder.start_utt()
    decoder.process_raw((audio.samples * 32767).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()
    return decoder.hyp().hypstr if decoder.hyp() else ""


asks = [clip(f"question_{name}") for name in ("vad", "echo", "latency")]
for ask in asks:
    print(f"said: {ask.text:<35} guessed: {open_guess(ask.audio())}")

# %% [markdown]
# A small Whisper errs for the same reason. Its decoder has room for less of what people say, so it
# more often settles for what merely sounds like it; names and rare words go first. Telling
# a recogniser what to expect helps any of them.
#
# So does a good sound. A few sentences, with more and more noise: this takes some seconds.

# %%
from voice_kit.workshop.wake import noisy
from voice_kit.workshop.wer import plain

noise = np.random.default_rng(1).normal(0, 0.1, 5 * RATE).astype(np.float32)
recordings = [clip(name) for name in ("question_vad", "free_book")]
RATIOS = (None, 20, 15)  # decibels of speech over the noise
rates = []
for ratio in RATIOS:
    texts = [
        heard_in(Audio(np.clip(noisy(each.audio().samples, noise, ratio), -1, 1), RATE))
        for each in recordings
    ]
    pairs = [(plain(each.text), plain(text)) for each, text in zip(recordings, texts, strict=True)]
    rates.append(float(np.mean([wer(said, heard) for said, heard in pairs])))
    label = "no noise" if ratio is None else f"{ratio} dB"
    print(f"{label:<9}{rates[-1]:5.0%} wrong, such as “{texts[-1]}”")

figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
axes.plot(range(len(RATIOS)), [100 * each for each in rates], "o-")
axes.set(xticks=range(len(RATIOS)), xticklabels=["no noise", "20 dB", "15 dB"])
axes.set(xlabel="speech over noise", ylabel="words wrong, %", ylim=(-5, 105), title=stt.name)
plt.show()

# %% [markdown]
# ## How slow is it?
#
# The **real-time factor** is how long the computer took for a second of sound. Over 1 it can never
# keep up; and a conversation wants far less, for you wait all of it after your last word.
#
# **Exercise.** Measure it. `time.perf_counter()` is the watch.


# %% tags=["exercise"]
def real_time_factor(transcribe, audio):
    """Seconds that `transcribe(audio)` takes, per second of the sound."""
    ### BEGIN SOLUTION
    began = time.perf_counter()
    transcribe(audio)
    return (time.perf_counter() - began) / audio.seconds
    ### END SOLUTION


# %% tags=["check"]
check(real_time_factor)


# %%
def measured(transcribe, audio):
    """The same, from the package's watch."""
    return timed(lambda: transcribe(audio))[1] / audio.seconds


factor = mine(real_time_factor, otherwise=measured)
print(f"{stt.name}:")
for name in ("command_stop", "free_weather"):
    audio = clip(name).audio()
    each = factor(heard_in, audio)
    wait = f"{each * audio.seconds * 1000:.0f} ms after the last word"
    print(f"{audio.seconds:5.2f} s of sound: real-time factor {each:.2f}, the text {wait}")

# %% [markdown]
# Mind what the factor hides. PocketSphinx works its way through the sound, so twice the sound is
# about twice the work. Whisper's window costs the same for one second as for thirty, so that its
# factor is worst for a single word. What you feel is the second number.

# %% [markdown]
# ## Silence, and its inventions
#
# A recogniser that has learnt that sound has words finds words in any sound. Here is a hum, as from
# a refrigerator; a whistle that wanders up and down; and somebody who really does say something.

# %%
from voice_kit.hear.detection import probabilities

vad = engines.make("vad", "silero", settings)
at = np.arange(3 * RATE) / RATE
quiet = np.zeros(RATE // 2)
whistle = np.sin(2 * np.pi * (500 * at + 60 * np.sin(2 * np.pi * at)))
sounds = {
    "silence": 0 * at,
    "hum": 0.1 * np.sin(2 * np.pi * 100 * at),
    "whistle": 0.1 * whistle[: 2 * RATE],
    "cough": np.concatenate([quiet, clip("noise_cough").audio().samples, quiet]),
    "“Yes.”": np.concatenate([quiet, clip("answer_yes").audio().samples, quiet]),
    "“No, thank you.”": np.concatenate([quiet, clip("answer_no_thanks").audio().samples, quiet]),
}
sounds = {name: Audio(samples.astype(np.float32), RATE) for name, samples in sounds.items()}
found = {name: (heard_in(audio), probabilities(vad, audio)) for name, audio in sounds.items()}
for name, (text, chances) in found.items():
    print(f"{name:<18} highest chance of speech {chances.max():4.2f}   heard: “{text}”")
    if name in ("hum", "whistle"):
        display(sounds[name])
if not any(found[name][0] for name in ("hum", "whistle", "cough")):
    print(f"{stt.name} has invented nothing, this time.")

# %% [markdown]
# Whisper's inventions are famous: it learnt from subtitles, and where films fall silent, subtitles
# say “Thank you for watching”. A list of such phrases is no cure: people do say “thank you”. But
# nobody says a sentence in no time. The fastest people measured for this kit spoke 33 characters a
# second, and the detector of the last notebook knows for how long somebody spoke.
#
# **Exercise.** Is a text made up? It is if it has over 40 characters for each second of speech.
# A frame is speech when its chance is above 0.5, and lasts `FRAME / RATE` seconds.


# %% tags=["exercise"]
def is_invention(text, chances):
    """Whether nobody can have said this: too long for the frames that are speech."""
    ### BEGIN SOLUTION
    spoken = sum(chance > 0.5 for chance in chances) * FRAME / RATE
    return len(text) > 40 * spoken
    ### END SOLUTION


# %% tags=["check"]
from voice_kit import FRAME

check(is_invention)

# %%
from voice_kit.hear.stt_whisper_inventions import too_long_for

made_up = mine(
    is_invention,
    otherwise=lambda text, chances: too_long_for(text, float(np.sum(chances > 0.5)) * FRAME / RATE),
)
for name, (text, chances) in found.items():
    if text:
        spoken = float(np.sum(chances > 0.5)) * FRAME / RATE
        verdict = "made up" if made_up(text, chances) else "said"
        print(f"{name:<18} {spoken:.2f} s of speech for {len(text):2} characters: {verdict}")

mhm = clip("backchannel_mhm").audio()
around = Audio(np.concatenate([quiet, mhm.samples, quiet]).astype(np.float32), RATE)
text, chances = heard_in(around), probabilities(vad, around)
print(f"“Mhm.” is heard as “{text}”,", end=" ")
print("and thrown away" if made_up(text, chances) else "and kept")

# %% [markdown]
# The rule does not ask whether the words are right, only whether somebody can have spoken them. And
# it has a price, which the last line may show: where the detector misses a murmur, nobody said it.
# So the package asks before it throws away: for Whisper, only text that Whisper
# itself doubts, or that it is known to invent, has to pass this rule; text that goes round in
# circles is dropped at once. And the loop asks nobody to transcribe where no turn was heard.

# %% [markdown]
# ## Your own voice
#
# With `LIVE = True`: press the button with the dot, say a sentence, press it again, then run the
# cell below it.

# %%
if LIVE:
    from voice_kit.show.recorder import ClipRecorder

    recorder = ClipRecorder()
    display(recorder)

# %%
try:
    own = recorder.audio if LIVE else None
except VoiceKitError as nothing:
    print(nothing)
    own = None
if own:
    print(f"You said: “{heard_in(own)}”")
    print(f"real-time factor {factor(heard_in, own):.2f}")
else:
    print("Nothing was recorded.")

# %% [markdown]
# ## OPTIONAL: the field
#
# - **PocketSphinx** (`--stt sphinx`): a grammar of commands, no model to fetch, any old machine.
# - **faster-whisper** (`--stt whisper:base.en`): the usual choice for a conversation at home;
#   `large-v3-turbo` if you have a graphics card.
# - **whisper.cpp**: the same models in C++; for telephones, Apple chips, or where Python is not.
# - **WhisperX**: exact times of words, and who spoke; for recordings, not for conversations.
# - **Voxtral** and other language models that hear: they also understand; they want a large card.
# - **Streaming recognisers** (NeMo, Vosk, the clouds): words while you speak; they cannot wait for
#   what comes next before they decide.
#
# If Whisper models are on this machine, this cell compares them on two sentences.

# %%
if whisper is None or ENGINES != "best":
    print('No comparison: it takes ENGINES = "best" and a Whisper model.')
else:
    from voice_kit.hear.stt_whisper_models import BEST_ON_CPU, REPOS, in_cache

    sizes = [f"{size}{end}" for size in BEST_ON_CPU for end in (".en", "")]
    for size in (size for size in sizes if size in REPOS and in_cache(REPOS[size])):
        model = FasterWhisper(model=size, device="cpu")
        began = time.perf_counter()
        texts = [model.transcribe(recording.audio()).text for recording in recordings]
        took = (time.perf_counter() - began) / sum(recording.seconds for recording in recordings)
        wrong = [wer(plain(r.text), plain(text)) for r, text in zip(recordings, texts, strict=True)]
        print(f"{size:<12} {np.mean(wrong):4.0%} of words wrong, real-time factor {took:.2f}")

# %% [markdown]
# ## Things to try
#
# - Read out a list of names, or a recipe in another language (`settings.changed({"language": …})`
#   with a multilingual Whisper). What goes wrong first?
# - `voice-kit transcribe FILE` in a terminal, with `--stt whisper:tiny.en`, then `whisper:base`.
# - Teach PocketSphinx a command: `settings.changed({"options": {"sphinx": {"commands":
#   ["open the window"]}}})`. Does it now hear windows everywhere?

# %% [markdown]
# ## What you built
#
# A word error rate, a real-time factor and a guard against inventions. You can say what Whisper
# does with a window of thirty seconds, and why a small model mishears what a large one does not.
#
# Next: [Ask a language model](04_ask_a_language_model.ipynb)
