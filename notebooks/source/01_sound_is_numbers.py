# %% [markdown]
# # Sound is numbers
#
# **You will build** the two tools that every later notebook stands on: a cutter of frames, and
# a meter of loudness.
# **Needs** nothing but this notebook; a microphone if you like. **Time** 20 minutes.
#
# **Microphone** → hear → think → speak → loudspeaker: you are here, at the microphone.

# %% tags=["parameters"]
LIVE = False  # True when you sit at a machine with a microphone
ENGINES = "offline"  # "best" takes the best engines that are here

# %% [markdown]
# ## A sound is a list of numbers
#
# A microphone's membrane is pushed in and out by the air. Sixteen thousand times a second somebody
# writes down where it is, as a number from −1 to 1. Each of these numbers is a **sample**; how many
# there are in a second is the **rate**. That is all there is to digital sound.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display

from voice_kit import FRAME, RATE, Audio, VoiceKitError
from voice_kit.sounds import clip

recording = clip("question_latency")
sound = recording.audio()

display(sound)
print(f"Somebody asks: “{recording.text}”")
print(f"{len(sound.samples)} samples at {sound.rate} Hz are {sound.seconds:.2f} seconds")
print("sample 8000 and the seven after it:", np.round(sound.samples[8000:8008], 3))

# %% [markdown]
# Drawn from left to right, the numbers are the picture that you know. Look closer, and a vowel
# repeats itself: that is the voice's pitch, and you can measure it with a ruler.

# %%
first = 3200  # a vowel, 0.2 s from the beginning
figure, (whole, close) = plt.subplots(2, 1, figsize=(9, 4), layout="constrained")
whole.plot(np.arange(len(sound.samples)) / RATE, sound.samples, linewidth=0.5)
whole.set(title=f"“{recording.text}”", xlabel="seconds", ylim=(-1, 1))
whole.axvspan(first / RATE, (first + 800) / RATE, color="orange", alpha=0.4)
close.plot(np.arange(800) / RATE * 1000, sound.samples[first : first + 800], linewidth=1)
close.set(title="the orange part, 50 milliseconds of a vowel", xlabel="milliseconds")
plt.show()

# the same in words: a sound that repeats itself looks like itself, one period later
vowel = sound.samples[first : first + 800]
likeness = [float(np.dot(vowel[:-lag], vowel[lag:])) / (800 - lag) for lag in range(1, 400)]
period = 40 + int(np.argmax(likeness[40:])) + 1
loudest = float(np.abs(sound.samples).max())
print(f"The loudest sample is {loudest:.2f}; 1 is the most that there can be.")
print(f"The vowel repeats itself every {period} samples: a voice of {RATE / period:.0f} Hz.")

# %% [markdown]
# ## A sound, in frames
#
# A live assistant cannot wait for the end of a sound: it never knows when that is. So sound comes
# in **frames**, here of 512 samples. Shorter ones make more work and tell less each; longer ones
# come later, for a frame is only there once its last sample was spoken. 512 at 16 kHz is what the
# detector of the next notebook wants.

# %%
print(f"A frame lasts {FRAME / RATE * 1000:.0f} ms; {RATE / FRAME:.2f} of them come every second.")

# %% [markdown]
# **Exercise.** Cut a sound into frames, and lose none of it: fill the last frame up with zeros.


# %% tags=["exercise"]
def in_frames(samples):
    """A list of frames, each of shape (512,); the last one is filled up with zeros."""
    ### BEGIN SOLUTION
    frames = [samples[at : at + FRAME] for at in range(0, len(samples), FRAME)]
    return [np.pad(frame, (0, FRAME - len(frame))) for frame in frames]
    ### END SOLUTION


# %% tags=["check"]
from voice_kit.workshop.checks import check, hint, mine

check(in_frames)

# %% [markdown]
# Stuck? Run `hint()` in a new cell, up to three times. Whether yours passes or not, the lesson goes
# on: `mine` takes your function once it is right, and the package's until then.

# %%
from voice_kit.audio.microphone import frames

cut = mine(in_frames, otherwise=lambda samples: list(frames(Audio(samples, RATE))))
pieces = cut(sound.samples)
print(f"{len(sound.samples)} samples became {len(pieces)} frames of {len(pieces[0])}")

# %% [markdown]
# The package's `frames(audio)` does the same for an `Audio` of any rate. Its `FileMicrophone` hands
# them over one by one, each at the moment when its last sample would have been spoken. So
# a recording can stand in for a microphone, and the loop does not notice.

# %% [markdown]
# ## How loud is a frame?
#
# The mean of the samples says nothing: they swing both ways, and it is always about zero. Square
# them, take the mean, take the root: the **root mean square** is how loud a frame is. Ears hear in
# ratios, so we count in **decibels**: 20 · log10 of the root mean square. Full scale is 0 dBFS,
# half the amplitude is 6 dB less, a tenth is 20 dB less. Everything softer is negative.
#
# **Exercise.** Write it, and mind the logarithm of silence.


# %% tags=["exercise"]
def rms_dbfs(frame):
    """Loudness of one frame, in dBFS: one number. Full scale is 0; silence is −200, never −inf."""
    ### BEGIN SOLUTION
    rms = float(np.sqrt(np.mean(frame**2)))
    return 20 * np.log10(max(rms, 1e-10))
    ### END SOLUTION


# %% tags=["check"]
check(rms_dbfs)

# %% [markdown] tags=["solution"]
# The floor of 1e-10 is −200 dB: softer than anything that a microphone can hear.

# %%
from voice_kit.hear.vad_energy import levels as levels_of

meter = mine(rms_dbfs, otherwise=lambda frame: levels_of(frame[np.newaxis])[0])
levels = np.array([meter(frame) for frame in pieces])

figure, axes = plt.subplots(figsize=(9, 2.5), layout="constrained")
axes.step(np.arange(len(levels)) * FRAME / RATE, levels, where="post")
axes.set(title="loudness of each frame", xlabel="seconds", ylabel="dBFS")
plt.show()
print(f"Loudest frame {levels.max():.0f} dBFS, softest {levels.min():.0f} dBFS.")
print(f"{int(np.sum(levels > levels.max() - 20))} of {len(levels)} frames are within 20 dB of it.")

# %% [markdown]
# Even inside the sentence some frames are 30 dB softer than the loudest: before a “t” the mouth is
# shut. The next notebook asks whether loudness can tell speech from silence. (It cannot.)

# %% [markdown]
# ## Another rate
#
# A rate of 16 000 can hold tones up to half of that, 8 000 Hz. A telephone has a rate of 8 000,
# a compact disc 44 100; speech recognition is used to 16 000. To go from one to another, one may
# not simply leave samples out: what is too high for the new rate does not disappear, it comes back
# as something else, an **alias**. Listen to the “s” sounds.

# %%
from voice_kit.audio.convert import convert

careless = Audio(sound.samples[::4], RATE // 4)  # every fourth sample, and never mind
careful = convert(sound, RATE // 4)  # what is too high is taken out first

for name, version in (("careless", careless), ("careful", careful)):
    back = convert(version, RATE)
    print(f"16 kHz → 4 kHz, {name}:")
    display(back)

count = min(len(careless.samples), len(careful.samples))
alias = careless.samples[:count] - careful.samples[:count]
share = float(np.sum(alias**2) / np.sum(careless.samples**2))
print(f"{share:.0%} of the careless version is alias: tones that nobody said.")

# %% [markdown]
# Both sound dull, for nothing above 2 000 Hz is left, and there live the sounds that tell “s” from
# “f”. The careless one also lisps and crackles. This is why the package never skips samples, and
# why a microphone that was opened at the wrong rate ruins every transcript without an error.

# %% [markdown]
# ## Your own voice
#
# With `LIVE = True` in the cell at the top you get a button with a dot: press it, which makes it
# red, say something, press it again, and run the cell after it. Your browser records it (with
# ipywebrtc), wherever this notebook's Python runs.

# %%
if LIVE:
    from voice_kit.show.recorder import ClipRecorder

    recorder = ClipRecorder()
    display(recorder)

# %%
try:
    own = recorder.audio if LIVE else sound
except VoiceKitError as nothing:
    print(f"{nothing} Until then, the question from above:")
    own = sound
own_levels = np.array([meter(frame) for frame in cut(own.samples)])
print(f"{own.seconds:.1f} s, loudest frame {own_levels.max():.0f} dBFS", end=": ")
print("too soft, come closer" if own_levels.max() < -35 else "loud enough")
if np.abs(own.samples).max() >= 0.999:
    print("Some samples are at full scale: the tops are cut off. Turn the microphone down.")

# %% [markdown]
# ## OPTIONAL: noise, by the decibel
#
# How good a recogniser is depends on the **signal-to-noise ratio**: how many decibels the speech is
# louder than the noise. To test with noise, you have to be able to add it by the decibel.
#
# **Exercise.** Add noise, so that the speech is `snr` decibels louder than it.


# %% tags=["exercise"]
def mixed(speech, noise, snr):
    """The speech as it is, with the noise `snr` dB below it. All are arrays of the same length."""
    ### BEGIN SOLUTION
    ratio = np.sqrt(np.mean(speech**2) / np.mean(noise**2))
    return speech + noise * ratio / 10 ** (snr / 20)
    ### END SOLUTION


# %% tags=["check"]
check(mixed)

# %%
from voice_kit.workshop.wake import noisy

noise = np.random.default_rng(1).normal(0, 0.1, len(sound.samples)).astype(np.float32)
mix = mine(mixed, otherwise=noisy)
for ratio in (20, 5, -5):
    print(f"speech {ratio} dB over the noise:")
    display(Audio(mix(sound.samples, noise, ratio), RATE))
print("You may understand all three. The next notebooks show who else does.")

# %% [markdown]
# ## Things to try
#
# - Another clip: `from voice_kit.sounds import clips` and `[clip.name for clip in clips()]`.
# - Turn a sound round with `samples[::-1]`. Which sounds of speech are the same both ways?
# - Play `sound.samples` with `rate=12_000`. Why is the voice deeper, and why does it last longer?

# %% [markdown]
# ## What you built
#
# A cutter of frames that loses nothing, and a meter of loudness that knows its decibels. You can
# tell a sample from a frame, and say what goes wrong when a rate is changed without care.
#
# Next: [When is someone speaking?](02_when_is_someone_speaking.ipynb)
