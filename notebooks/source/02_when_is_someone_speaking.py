# %% [markdown]
# # When is someone speaking?
#
# **You will build** what decides that speech has begun and that it is your assistant's turn.
# **Needs** nothing but this notebook. **Time** 25 minutes.
#
# Microphone → **hear** → think → speak → loudspeaker: you are here, before any word is understood.

# %% tags=["parameters"]
LIVE = False  # True when you sit at a machine with a microphone
ENGINES = "offline"  # "best" takes the best engines that are here

# %% [markdown]
# ## By loudness
#
# Here are a few seconds of an evening: a question, a cough, a command with a pause for thought in
# it; and the same with a fan switched on. Where is speech?

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display

from voice_kit import FRAME, RATE, Audio
from voice_kit.audio.microphone import frames
from voice_kit.hear.vad_energy import levels as levels_of
from voice_kit.sounds import clip


def evening(noise_dbfs):
    """Three clips with quiet between them over noise of this loudness, and where speech is."""
    sound, spoken, at = [], [], 0
    for name in ("question_token", "noise_cough", "pause_timer"):
        samples = clip(name).audio().samples
        sound += [np.zeros(RATE), samples]
        if name != "noise_cough":
            spoken.append(((at + RATE) / RATE, (at + RATE + len(samples)) / RATE))
        at += RATE + len(samples)
    whole = np.concatenate([*sound, np.zeros(2 * RATE)])
    noise = np.random.default_rng(1).normal(0, 10 ** (noise_dbfs / 20), len(whole))
    return Audio((whole + noise).astype(np.float32), RATE), spoken


quiet, spoken = evening(-65)
loud, _ = evening(-35)
for name, audio in (("a quiet room", quiet), ("the same, with a fan", loud)):
    print(name)
    display(audio)
print("Speech:", ", ".join(f"{start:.1f}–{end:.1f} s" for start, end in spoken))

# %% [markdown]
# **Exercise.** The quietest frame tells how quiet the room is. Say of each frame whether it is at
# least `margin` decibels louder than that.


# %% tags=["exercise"]
def loud_frames(levels, margin):
    """For each level in dBFS: is it `margin` dB or more above the quietest? A list of bools."""
    ### BEGIN SOLUTION
    return [level >= min(levels) + margin for level in levels]
    ### END SOLUTION


# %% tags=["check"]
from voice_kit.workshop.checks import check, hint, mine

check(loud_frames)

# %%
by_loudness = mine(
    loud_frames, otherwise=lambda levels, margin: np.array(levels) >= np.min(levels) + margin
)


def stretches(flags):
    """Where flags are set, in seconds: [(start, end), …]."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.array(flags, int), [0]))))
    return [(start * FRAME / RATE, end * FRAME / RATE) for start, end in edges.reshape(-1, 2)]


def in_words(flags):
    """The same as text, gaps of less than 0.2 s closed."""
    closed = []
    for start, end in stretches(flags):
        if closed and start - closed[-1][1] < 0.2:
            closed[-1][1] = end
        else:
            closed.append([start, end])
    return ", ".join(f"{start:.1f}–{end:.1f} s" for start, end in closed) or "nowhere"


def draw(audio, rows):
    """The sound, and under it where each way hears speech."""
    _, axes = plt.subplots(figsize=(10, 1.6 + 0.4 * len(rows)), layout="constrained")
    axes.plot(np.arange(len(audio.samples)) / RATE, audio.samples, linewidth=0.4, color="#6b7783")
    for number, (name, flags) in enumerate(rows.items()):
        height = -0.9 - 0.35 * number
        for start, end in stretches(flags):
            axes.hlines(height, start, end, linewidth=7, color=f"C{number}")
        axes.text(-0.1, height, name, ha="right", va="center")
        print(f"{name}: {in_words(flags)}")
    axes.set(xlabel="seconds", yticks=[], xlim=(0, audio.seconds))
    plt.show()


truth = [
    any(start <= index * FRAME / RATE < end for start, end in spoken)
    for index in range(len(list(frames(quiet))))
]
for name, audio in (("a quiet room", quiet), ("with a fan", loud)):
    levels = levels_of(np.array(list(frames(audio))))
    print(name)
    draw(audio, {"speech": truth, "by loudness": by_loudness(levels, 15)})

# %% [markdown]
# In the quiet room the cough counts as speech, as any door or dog would. With the fan, the soft
# beginnings and ends of words sink into the noise. Loudness does not know what a voice is.

# %% [markdown]
# ## By its sound
#
# ![A frame of 512 samples goes into a small network, the chance of speech comes out, and the
# network's memory goes back in with the next frame](../figures/detector.svg)
#
# Silero is a small neural network that was shown thousands of hours of speech and of everything
# else. For each frame it gives a chance, from 0 to 1, that somebody speaks. It remembers the frames
# before: each stream needs a state of its own.

# %%
from voice_kit import engines
from voice_kit.hear.detection import probabilities
from voice_kit.settings import Settings

vad = engines.make("vad", "silero", Settings())
frame, state = next(iter(frames(quiet))), vad.start()
chances, states = vad.detect(frame[np.newaxis], [state])
print(f"{vad.name}: the chance that the first frame is speech is {chances[0]:.3f}")

heard = {name: probabilities(vad, audio) for name, audio in (("quiet", quiet), ("fan", loud))}
for name, audio in (("quiet", quiet), ("fan", loud)):
    levels = levels_of(np.array(list(frames(audio))))
    rows = {"speech": truth, "by loudness": by_loudness(levels, 15), "silero": heard[name] > 0.5}
    print(name)
    draw(audio, rows)

# %% [markdown]
# Silero is not deceived by the cough. But it comes late: it has to hear a little of a voice to know
# it for one. Whoever writes down only what comes after loses the first consonant; so the package
# keeps the last 0.2 s before the start and gives them along, the **preroll**.
#
# Is it quick enough to be asked 31 times a second?

# %%
import time

count = 200
began = time.perf_counter()
for _ in range(count):
    chances, states = vad.detect(frame[np.newaxis], [state])
each = (time.perf_counter() - began) / count
print(f"One frame takes {each * 1000:.2f} ms of its 32: real-time factor {each * RATE / FRAME:.4f}")

# %% [markdown]
# The same network comes from its authors in the package `silero-vad`, together with a function that
# finds whole stretches of speech in a recording. It needs torch; ours runs the file without it.

# %%
try:
    import torch
    from silero_vad import get_speech_timestamps, load_silero_vad
except ImportError:
    print("silero-vad is not installed: make lab installs it. The lesson goes on without.")
else:
    found = get_speech_timestamps(torch.from_numpy(quiet.samples), load_silero_vad(onnx=True))
    there = ", ".join(f"{part['start'] / RATE:.1f}–{part['end'] / RATE:.1f} s" for part in found)
    print(f"silero-vad says: {there}")

# %% [markdown]
# ## Two thresholds are better than one
#
# Inside a sentence the chance dips. With one threshold the speech ends and begins again in the
# middle of it. So it takes more to begin than to go on: that is **hysteresis**.
#
# **Exercise.** Speech begins at `start_above`, and ends only below `stop_below`.


# %% tags=["exercise"]
def with_hysteresis(chances, start_above, stop_below):
    """For each chance: does somebody speak? A list of bools."""
    ### BEGIN SOLUTION
    speaking, found = False, []
    for chance in chances:
        speaking = chance >= (stop_below if speaking else start_above)
        found.append(speaking)
    return found
    ### END SOLUTION


# %% tags=["check"]
check(with_hysteresis)

# %%
from voice_kit.hear.ears import Ears
from voice_kit.sounds import clips


def ears_say(chances, start_above, stop_below):
    """The package's way: a state machine that is fed frame by frame."""
    ears = Ears(Settings().hear.model_copy(update={"start_above": start_above, "stop": 0.04}))
    found = []
    for chance in chances:
        ears.feed(np.zeros(FRAME, np.float32), float(chance))
        found.append(ears.speaking)
    return found


steady = mine(with_hysteresis, otherwise=ears_say)
sentences = [each for each in clips() if each.kind not in ("noise", "backchannel")]
everyone = [probabilities(vad, each.audio()) for each in sentences]
one = sum(len(stretches(chances >= 0.5)) for chances in everyone)
two = sum(len(stretches(steady(chances, 0.5, 0.35))) for chances in everyone)
print(
    f"In {len(sentences)} sentences, one threshold hears {one} stretches of speech, two hear {two}."
)

# %% [markdown]
# ## The end of a turn
#
# ![A short wait cuts the sentence off in its pause; a long wait is polite, and slow every
# time](../figures/turn_end.svg)
#
# When has somebody finished? You only know that they are quiet now. Whoever answers at once cuts
# people off in every breath; whoever waits long is slow, every single time. The wait is called
# **hangover**, and it is the largest single part of most assistants' delay.
#
# **Exercise.** Find the frames at which a turn ends: the first at which it has been quiet for
# `hangover` frames, after somebody spoke.


# %% tags=["exercise"]
def turn_ends(speech, hangover):
    """The numbers of the frames at which a turn ends. `speech` is a list of bools."""
    ### BEGIN SOLUTION
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
    ### END SOLUTION


# %% tags=["check"]
check(turn_ends)

# %%
from voice_kit.hear.ears import listen
from voice_kit.types import TurnEnded


def package_ends(speech, hangover):
    """The same with the package's `listen`, which tells far more than ends."""
    rules = Settings().hear.model_copy(update={"stop": hangover * FRAME / RATE, "shortest": 0.03})
    nothing = [np.zeros(FRAME, np.float32)] * len(speech)
    events = listen(nothing, [float(flag) for flag in speech], rules)
    return [round(event.at * RATE / FRAME) - 1 for event in events if isinstance(event, TurnEnded)]


ends_of = mine(turn_ends, otherwise=package_ends)
for hangover in (6, 16, 32):
    ends = ends_of(list(steady(heard["quiet"], 0.5, 0.35)), hangover)
    at = ", ".join(f"{(end + 1) * FRAME / RATE:.2f} s" for end in ends)
    print(f"after {hangover * FRAME / RATE * 1000:4.0f} ms of quiet: turns end at {at}")
print(f"“{clip('pause_timer').text}” is one turn.")

# %% [markdown]
# ## Whom do you cut off?
#
# One number decides, so measure it. Below, each of the kit's questions and commands is said twice:
# as it is, and with a pause for thought of 0.3 to 1.2 seconds in the middle: harder than life,
# where not every second sentence has one. For each wait: how many turns are cut off, and how long
# does everybody else wait? That curve is the **frontier**.
#
# Choose your own point first. Do you want to be quick, or polite?

# %%
my_wait = 0.5  # seconds of quiet that end a turn

# %%
from voice_kit.workshop.lab_endpointing import score
from voice_kit.workshop.lab_sounds import Recording
from voice_kit.workshop.lab_sounds import turns as as_turns

rng = np.random.default_rng(7)


def thoughtful(audio):
    """The same with a pause, where it is quietest in the middle."""
    middle = audio.samples[len(audio.samples) // 3 : 2 * len(audio.samples) // 3]
    blocks = middle[: len(middle) // 160 * 160].reshape(-1, 160)
    cut = len(audio.samples) // 3 + 160 * int(np.argmin(np.sum(blocks**2, axis=1)))
    pause = rng.normal(0, 1e-4, int(rng.uniform(0.3, 1.2) * RATE)).astype(np.float32)
    return Audio(np.concatenate([audio.samples[:cut], pause, audio.samples[cut:]]), RATE)


chosen = [each for each in clips() if each.kind in ("question", "command") and each.seconds > 1]
plain = [Recording(each.name, each.text, each.audio()) for each in chosen]
paused = [Recording(f"{each.name}, paused", each.text, thoughtful(each.audio)) for each in plain]
turns, unheard = as_turns([*plain, *paused], vad, None, after=2.0)
print(f"{len(turns)} turns, and {len(unheard)} recordings in which nobody was heard")

# %%
waits = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.3])


def point(wait):
    """The share of turns cut off, and the mean wait of the others, in seconds."""
    found = score(turns, Settings().hear.model_copy(update={"stop": float(wait)}))
    return found.share, found.added


curve = [point(wait) for wait in waits]
cut_off, added = point(my_wait)

figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
axes.plot([a * 1000 for _, a in curve], [s * 100 for s, _ in curve], "o-", label="fixed waits")
axes.plot([added * 1000], [cut_off * 100], "*", markersize=18, label=f"yours: {my_wait} s")
axes.set(xlabel="mean wait of those who were not cut off, ms", ylabel="turns cut off, %")
axes.axvspan(0, 200, color="black", alpha=0.07)
axes.text(5, 1, "people answer\nwithin this", fontsize=8)
axes.legend()
plt.show()

print("wait      cut off   mean wait")
for wait, (share, mean) in zip(waits, curve, strict=True):
    print(f"{wait * 1000:4.0f} ms   {share:6.0%}   {mean * 1000:6.0f} ms")
print(f"Yours, {my_wait} s: {cut_off:.0%} of turns cut off, a mean wait of {added * 1000:.0f} ms.")

# %% [markdown]
# No fixed wait is both quick and polite: people themselves answer each other after 200 ms, and do
# not interrupt, because they *understand* that “Set a timer for …” is not finished. Our assistant
# tries the same: it begins to answer early, behind a closed gate, and waits longer for an
# unfinished sentence. `voice-kit lab endpointing` draws this picture for your own recordings.

# %% [markdown]
# ## OPTIONAL: the field
#
# - **Energy** (`--vad energy`): for understanding, or a very quiet room.
# - **WebRTC VAD** (`--vad webrtc`): classic statistics, a fraction of the work, more false alarms.
# - **Silero**: the usual choice today, small and good in noise; whispering is silence to it.
# - **Smart Turn** (`--set judge=smart-turn`): listens to the melody, says whether a turn is over.

# %%
webrtc = engines.make("vad", "webrtc", Settings())
draw(
    loud,
    {"speech": truth, "silero": heard["fan"] > 0.5, "webrtc": probabilities(webrtc, loud) > 0.5},
)

# %% [markdown]
# ## Things to try
#
# - Make the fan louder (`evening(-25)`). At how many dBFS does Silero lose the first word?
# - Whisper into the microphone, or sing. What does each detector say?
# - Set `stop_below` above `start_above`. What happens, and why?

# %% [markdown]
# ## What you built
#
# A detector by loudness, hysteresis, and the end of a turn, with a measured price on each
# millisecond of waiting. You can say why loudness is not speech, and what the hangover costs.
#
# Next: [From sound to text](03_from_sound_to_text.ipynb)
