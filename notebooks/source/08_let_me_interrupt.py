# %% [markdown]
# # Let me interrupt
#
# **You will build** the rule by which an assistant falls silent for you, and not for a cough; and
# a memory that holds what you heard, not what it wanted to say.
# **Needs** nothing but this notebook. **Time** 25 minutes.
#
# Microphone → **hear** → think → **speak** → loudspeaker: you are here, at both ends at once.

# %% tags=["parameters"]
LIVE = False  # True when you sit at a machine with a microphone
ENGINES = "offline"  # "best" takes the best engines that are here

# %% [markdown]
# ## An interruption is a guess
#
# ![A sound while it speaks makes it pause and keep its place; evidence decides whether it stops or
# goes on from the same word](../figures/interruption.svg)
#
# The assistant speaks, and there is a sound from you. It may be “stop”, “mhm”, a cough, or a chair.
# Whoever goes on for all of them is rude; whoever stops for all of them cannot finish a sentence.
# Nobody knows at the first frame. So the package takes it for a **hypothesis**:
#
# 1. the answer **pauses** at once, within a frame. Its place is kept.
# 2. **evidence** is gathered: how long is it, what does it say?
# 3. then it stops for good, or goes on from the very same sample.
#
# **Exercise.** The evidence. Half a second of speech is enough, whatever its words. Shorter ones
# take the turn if they have words that are not all **backchannels**, such as “mhm”, “yes”, “okay”,
# “right”.


# %% tags=["exercise"]
def takes_the_turn(text, seconds):
    """Whether someone who says `text`, empty for none, in `seconds` of speech wants the turn."""
    ### BEGIN SOLUTION
    backchannels = {"mhm", "yes", "okay", "right"}
    words = text.lower().replace(",", " ").replace(".", " ").split()
    return seconds >= 0.5 or any(word not in backchannels for word in words)
    ### END SOLUTION


# %% tags=["check"]
from voice_kit.workshop.checks import check, hint, mine

check(takes_the_turn)

# %%
from voice_kit.hear.backchannels import is_backchannel


def usual(text, seconds):
    """The package's rule, in short; its list of backchannels knows five languages."""
    return seconds >= 0.5 or bool(text and not is_backchannel(text, "en"))


rule = mine(takes_the_turn, otherwise=usual)
for text, seconds in (("", 0.3), ("mhm", 0.3), ("stop", 0.35), ("right", 0.4), ("", 0.7)):
    verdict = "takes the turn" if rule(text, seconds) else "goes on listening"
    print(f"{seconds:.2f} s  “{text}”".ljust(20), verdict)

# %% [markdown]
# ## Watch it happen
#
# A recorded person asks something, and then, while the answer is spoken: says “right”, coughs, and
# really interrupts. The clock is virtual, so that nobody has to wait; the times are those of life.

# %%
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.loading import load_engines
from voice_kit.converse.timeline import Timeline
from voice_kit.converse.virtual import run
from voice_kit.settings import Settings, load_settings
from voice_kit.sounds import clip
from voice_kit.workshop.lab_engines import beside
from voice_kit.workshop.user import Line, SyntheticUser

OFFLINE = {"stt": "sphinx", "llm": "handbook", "tts": "espeak"}
settings = load_settings() if ENGINES == "best" else Settings().changed(OFFLINE)
engines = load_engines(settings)

PERSON = (
    ("question_barge_in", None),
    ("backchannel_right", 1.2),
    ("question_vad", None),
    ("noise_cough", 1.4),
    ("question_echo", None),
    ("interruption_wait", 2.0),
)


def hold(settings, person=PERSON):
    """A conversation with that person: its events, and what memory keeps of it."""

    async def conversation():
        events, timeline = [], Timeline()
        said = [Line(clip(name).audio(), into=into) for name, into in person]
        user = SyntheticUser(said, patience=6)
        talk = Conversation(
            engines, SilentSpeaker(), settings, observers=[user, timeline, events.append]
        )
        async with talk:
            await talk.listen(user)
        return events, timeline, list(talk.history.lines)

    return beside(lambda: run(conversation(), fast=True))


events, timeline, lines = hold(settings)

# %%
from voice_kit.types import Interrupted, PlaybackPaused, PlaybackResumed, PlaybackStarted

STORY = {
    PlaybackStarted: "the answer begins",
    PlaybackPaused: "a sound: it pauses",
    PlaybackResumed: "it goes on from the same sample",
    Interrupted: "it stops",
}
for event in events:
    if type(event) in STORY:
        reason = getattr(event, "reason", "")
        print(f"{event.at:6.2f} s  {STORY[type(event)]}{': ' + reason if reason else ''}")

# %%
# %matplotlib inline
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(10, 2.4), layout="constrained")
for turn in timeline.turns:
    for bar in turn.bars:
        if bar.stage in ("speech", "playback"):
            row = ("playback", "speech").index(bar.stage)
            axes.barh(row, bar.seconds, left=bar.start, color=f"C{row}", edgecolor="black")
for event in events:
    if isinstance(event, PlaybackPaused):
        axes.annotate("pause", (event.at, 0.5), ha="center", fontsize=8)
axes.set(yticks=[0, 1], yticklabels=["assistant", "person"], xlabel="seconds")
plt.show()
pauses = sum(isinstance(event, PlaybackPaused) for event in events)
stops = sum(isinstance(event, Interrupted) for event in events)
print(f"{pauses} pauses, {stops} of them became an interruption.")

# %% [markdown]
# ## What was heard
#
# The model wrote three sentences; you heard five words and said “wait”. If it believes that you
# heard all of it, its next answer refers to things that you never heard. So memory keeps what left
# the loudspeaker. Voices such as Kokoro and espeak-ng tell where each word is in their sound.
#
# **Exercise.** Which words were heard, after so many seconds? A word counts when more than half of
# it was.


# %% tags=["exercise"]
def heard_words(words, seconds):
    """The text heard so far. Each word has a `text`, a `start` and an `end`, in seconds."""
    ### BEGIN SOLUTION
    return " ".join(word.text for word in words if (word.start + word.end) / 2 < seconds)
    ### END SOLUTION


# %% tags=["check"]
check(heard_words)

# %%
from voice_kit import Audio, Speech
from voice_kit.speak.heard import heard_text
from voice_kit.workshop import by_hand


def package_heard(words, seconds):
    """The same with what the package uses, which knows about sentences and scripts too."""
    text = " ".join(word.text for word in words)
    return heard_text([Speech(text, Audio.silence(words[-1].end), tuple(words))], seconds)


heard = mine(heard_words, otherwise=package_heard)
sentence = "A token is a piece of a word, and it is what a language model reads and writes."
parts = list(by_hand.speak(engines.tts.current, sentence))
words = [word for part in parts[:1] for word in part.words]
for seconds in (0.3, 0.8, 1.5):
    print(f"stopped after {seconds:.1f} s: “{heard(words, seconds)} …”" if words else sentence)

# %%
for turn in timeline.turns:
    if turn.interrupted:
        print(f"it wanted to say: “{turn.said}”")
        print(f"memory keeps:     “{turn.said_heard}”")
for line in lines:
    print(f"  {line.role:<10} {line.content[:80]}")

# %% [markdown]
# ## Three manners
#
# `interrupt.mode` has three values. The same person, and how the conversation goes.

# %%
for mode in ("evidence", "any", "never"):
    found, times, _ = hold(settings.changed({"interrupt.mode": mode}))
    stopped = sum(isinstance(event, Interrupted) for event in found)
    answered = len(times.turns)
    print(f"{mode:<9} stops {stopped} times, {answered} turns")
print("One of the three was meant as an interruption; the cough was not even taken for speech.")

# %% [markdown]
# ## It hears itself
#
# Without headphones the loudspeaker's sound comes back into the microphone, and the assistant would
# interrupt itself. A browser cancels echo; in the terminal the package does it, for it knows what
# it plays. Here a voice comes back a fifth of a second later, at a quarter of its level.

# %%
import numpy as np

from voice_kit import FRAME, RATE
from voice_kit.audio.convert import convert
from voice_kit.audio.echo import EchoGuard
from voice_kit.hear.detection import probabilities

voice = np.concatenate([convert(part.audio, RATE).samples for part in parts * 3])
voice = voice[: len(voice) // FRAME * FRAME]
late = RATE // 5
echo = np.concatenate([np.zeros(late, np.float32), voice[:-late] / 4])
room = np.random.default_rng(1).normal(0, 3e-4, len(voice)).astype(np.float32)
microphone = echo + room

guard = EchoGuard()
pairs = zip(microphone.reshape(-1, FRAME), voice.reshape(-1, FRAME), strict=True)
kept = np.concatenate([guard.feed(frame, played) for frame, played in pairs])

for name, sound in (("as it comes in", microphone), ("with the guard", kept)):
    chances = probabilities(engines.vad.current, Audio(sound, RATE))
    print(f"{name}: {np.mean(chances > 0.5):.0%} of the frames are taken for somebody's speech")

# %% [markdown]
# The guard needs a moment to learn the way from loudspeaker to microphone, and no guard is as good
# as headphones.

# %% [markdown]
# ## Things to try
#
# - `PERSON` with your own order: interrupt twice, or say “right” five times.
# - `settings.changed({"interrupt.after": 0.2})`: what do the cough and the “mhm” do now?
# - Live, in notebook 11: laugh while it speaks.

# %% [markdown]
# ## What you built
#
# The rule that tells an interruption from a cough, and a memory that is true. You have seen a pause
# that kept its place, and one that became a stop.
#
# Next comes what is asked for: talk, a search, or something to be done.
# [What is being asked?](09_what_is_being_asked.ipynb)
