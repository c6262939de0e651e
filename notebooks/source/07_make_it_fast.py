# %% [markdown]
# # Make it fast
#
# **You will build** the two tricks that make an assistant feel instant: stages that overlap, and
# an answer that is begun before it is certain.
# **Needs** nothing but this notebook. **Time** 25 minutes.
#
# Microphone → **hear → think → speak** → loudspeaker: you are here, between the stages.

# %% tags=["parameters"]
LIVE = False  # True when you sit at a machine with a microphone
ENGINES = "offline"  # "best" takes the best engines that are here

# %% [markdown]
# ## Overlap the stages
#
# A model writes an answer of three sentences, a voice makes sound of them. Whoever waits for all
# the text, and then for all the sound, hears nothing for a long time. Whoever hands on each
# sentence when it is complete hears the first while the second is being made.
#
# How fast are your stages? These are typical for a laptop without a GPU. Change them.

# %%
words_per_second = 9  # of the language model
first_token = 0.4  # seconds, before it writes anything
voice_rtf = 0.4  # seconds of work for a second of sound
speaking_rate = 2.7  # words a second, as the voice says them

answer = [
    "Latency is the time you wait.",
    "People notice anything beyond about half a second.",
    "So an assistant should begin to speak before it knows how its answer ends.",
]
counts = [len(sentence.split()) for sentence in answer]
print(f"{len(answer)} sentences, {sum(counts)} words")

# %%
from itertools import accumulate

written = [first_token + words / words_per_second for words in accumulate(counts)]
lengths = [words / speaking_rate for words in counts]


def when_made(texts_at, lengths):
    """When each sentence is sound: one voice makes them one after the other."""
    done, at = [], 0.0
    for text_at, length in zip(texts_at, lengths, strict=True):
        at = max(at, text_at) + length * voice_rtf
        done.append(at)
    return done


overlapped = when_made(written, lengths)
print("sentence   written     sound")
for number, (text_at, sound_at) in enumerate(zip(written, overlapped, strict=True), 1):
    print(f"{number:>8}{text_at:>8.1f} s{sound_at:>8.1f} s")

# %% [markdown]
# **Exercise.** The loudspeaker plays one sentence after the other. When does each begin?


# %% tags=["exercise"]
def playback_starts(ready, lengths):
    """When each sentence begins to be heard, in seconds.

    `ready` says when each one's sound is made, `lengths` how long it lasts.
    """
    ### BEGIN SOLUTION
    starts, end = [], 0.0
    for at, length in zip(ready, lengths, strict=True):
        starts.append(max(at, end))
        end = starts[-1] + length
    return starts
    ### END SOLUTION


# %% tags=["check"]
from voice_kit.workshop.checks import check, hint, mine

check(playback_starts)

# %%
# %matplotlib inline
import matplotlib.pyplot as plt


def one_after_the_other(ready, lengths):
    """What stands in for yours until it passes."""
    ends = accumulate(
        zip(ready, lengths, strict=True), lambda end, each: max(end, each[0]) + each[1], initial=0.0
    )
    return [end - length for end, length in zip(list(ends)[1:], lengths, strict=True)]


starts_of = mine(playback_starts, otherwise=one_after_the_other)
all_at_once = [written[-1] + sum(lengths) * voice_rtf] * len(lengths)
plans = {"all at once": all_at_once, "by sentences": overlapped}

figure, axes = plt.subplots(figsize=(9, 2.2), layout="constrained")
for row, (name, ready) in enumerate(plans.items()):
    starts = starts_of(ready, lengths)
    axes.barh([row] * len(starts), lengths, left=starts, color=["C0", "C1", "C2"])
    pauses = [
        later - (start + length)
        for start, length, later in zip(starts, lengths, starts[1:], strict=False)
    ]
    print(f"{name}: first sound after {starts[0]:.1f} s, longest gap {max(pauses):.1f} s")
axes.set(yticks=[0, 1], yticklabels=plans, xlabel="seconds after the question", xlim=0)
plt.show()

# %% [markdown]
# What must be true of `voice_rtf` for the gaps between sentences to be zero? Try 1.2.

# %% [markdown]
# ## A conversation to experiment with
#
# Arguments about speed are settled by measuring. Here a conversation is held once, with everything
# in it recorded: what was heard, when, and what each engine took. The second question comes before
# the first answer is over. It is held in real time, which takes about half a minute.

# %%
import tempfile
import textwrap
from pathlib import Path

import numpy as np

from voice_kit import RATE, Audio
from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.loading import load_engines
from voice_kit.converse.recorded import read_recording
from voice_kit.converse.recording import Recorder
from voice_kit.settings import Settings, load_settings
from voice_kit.sounds import clip

OFFLINE = {"stt": "sphinx", "llm": "handbook", "tts": "espeak"}
settings = load_settings() if ENGINES == "best" else Settings().changed(OFFLINE)
engines = load_engines(settings)


def quiet(seconds):
    return np.zeros(round(seconds * RATE), np.float32)


said = [clip("question_token"), clip("pause_timer")]
sound = np.concatenate(
    [quiet(1), said[0].audio().samples, quiet(6), said[1].audio().samples, quiet(3)]
)
folder = Path(tempfile.mkdtemp()) / "talk"
with Recorder(folder) as recorder:
    talk = Conversation(recorder.engines(engines), SilentSpeaker(), settings)
    recorder.follow(talk)
    async with talk:
        await talk.listen(recorder.microphone(FileMicrophone(Audio(sound, RATE))))

recording = read_recording(folder)
for turn in recording.turns:
    print(textwrap.fill(f"“{turn.times.heard}”: {turn.why()}", 96), end="\n\n")

# %%
from IPython.display import display

from voice_kit.show.timeline import draw

display(draw(recording.timeline.turns))

# %% [markdown]
# ## Begin before it is certain
#
# ![If you have finished, the gate opens and the answer is heard at once. If you go on, the answer
# that was begun is dropped: not heard, not remembered, nothing done](../figures/gate.svg)
#
# Half a second of that is waiting, in case you go on. The words are known long before! So the
# package begins to answer at the first short pause, **behind a closed gate**: it transcribes,
# thinks and speaks, and nobody hears it. If you go on, all of it is dropped without a trace. If you
# do not, the gate opens, and what is ready plays.
#
# If speech went on and the words are the same after all (it was a cough), the early work can be
# kept.
#
# **Exercise.** Are these the same words?


# %% tags=["exercise"]
def same_words(early, final):
    """Whether both texts ask the same: capitals and punctuation make no difference."""
    ### BEGIN SOLUTION
    import re

    def words(text):
        return re.findall(r"[\w']+", text.lower())

    return words(early) == words(final)
    ### END SOLUTION


# %% tags=["check"]
check(same_words)

# %%
from voice_kit import Transcript
from voice_kit.hear.backchannels import words

same = mine(
    same_words, otherwise=lambda *texts: words(Transcript(texts[0])) == words(Transcript(texts[1]))
)
for early, final in (
    ("what is a token", "What is a token?"),
    ("set a timer for", "Set a timer for ten minutes."),
):
    what = "kept" if same(early, final) else "dropped"
    print(f"“{early}” … “{final}”: the early answer is {what}")

# %% [markdown]
# Here is what happened in the second question, with its pause for thought. An early start leaves
# nothing behind but its own line, and the time that was thrown away.

# %%
from voice_kit.types import (
    Abandoned,
    GateOpened,
    Paused,
    Resumed,
    Transcribed,
    TurnEnded,
    TurnStarted,
)

told = (Paused, Resumed, TurnStarted, Transcribed, Abandoned, TurnEnded, GateOpened)
second = recording.turns[1].times
for event in recording.events:
    if isinstance(event, told) and event.at > (second.ended or 0) - 4:
        detail = getattr(event, "transcript", None)
        more = f"“{detail.text}”" if detail else getattr(event, "reason", "")
        print(f"{event.at:6.2f} s  {type(event).__name__:<12} {more}")
print(f"Started in vain: {recording.timeline.abandoned}", end=", ")
print(f"{recording.timeline.wasted:.1f} s of work thrown away")

# %% [markdown]
# ## Change one thing
#
# A recording can be held again with a setting changed. Engines answer what they answered, in the
# time that it took; what is new is asked of them now. No second passes that need not.

# %%
from voice_kit.converse.replay import replay

trials = {
    "as it was": {},
    "no early start": {"eager_starts": 0},
    "wait 0.2 s": {"hear.stop": 0.2, "judge": "silence"},
    "wait 0.8 s": {"hear.stop": 0.8, "judge": "silence"},
    "wait 0.8 s, no early start": {"hear.stop": 0.8, "judge": "silence", "eager_starts": 0},
}
first = recording.turns[0].question()
outcomes = {}
for name, change in trials.items():
    turns = replay(first, change).turns
    outcomes[name] = turns[0].times.voice_to_voice
    print(f"{name:<28}{outcomes[name] * 1000:>6.0f} ms   “{turns[0].times.heard}”")

# %%
figure, axes = plt.subplots(figsize=(9, 2.8), layout="constrained")
axes.barh(list(outcomes), [seconds * 1000 for seconds in outcomes.values()])
axes.axvline(200, color="black", linestyle="--")
axes.text(205, -0.45, "people", fontsize=8)
axes.set(xlabel="milliseconds from the last word to the first sound")
axes.invert_yaxis()
plt.show()
quickest = min(outcomes, key=outcomes.get)
print(f"Quickest: {quickest}. People answer each other after about 200 ms.")

# %% [markdown]
# Now the same with the second question. Quick is not polite: what did the assistant hear?

# %%
thoughtful = recording.turns[1].question()
for name in ("as it was", "wait 0.2 s", "wait 0.8 s"):
    heard = [f"“{turn.times.heard}”" for turn in replay(thoughtful, trials[name]).turns]
    print(f"{name:<14} {len(heard)} turn{'s' if len(heard) > 1 else ''}: {', '.join(heard)}")
print(f"Said was: “{said[1].text}”")

# %% [markdown]
# “As it was” asks a judge: a few hundred words of statistics that know “Set a timer for” is not
# finished, and wait longer there and shorter elsewhere. “No early start” asks it too: what you said
# is written down at a pause for the judge to read, and only thinking and speaking wait.

# %% [markdown]
# ## OPTIONAL: the field
#
# - **Streaming recognition**: words while you speak, so nothing is left to do when you stop.
#   Whisper was not made for it; Kyutai's and NVIDIA's models are.
# - **Semantic turn ends**: Smart Turn listens to the melody, LiveKit's model reads the words. Ours
#   reads the words and, where they are guesses, hears whether the voice has fallen; it is small
#   enough to look into: `voice_kit/hear/judge_text.py` and `judge_text_tone.py`.
# - **Smaller models**: the quickest answer is a model that fits. `voice-kit doctor` measures yours.

# %% [markdown]
# ## Things to try
#
# - `recording.turns[0].again(stop=0.3)`, and play its `sound`.
# - A slower voice: `voice_rtf = 1.2` above. Which sentence is late now?
# - On the command line: `voice-kit talk --record my-talk`, then `voice-kit why my-talk` and
#   `voice-kit again my-talk --stop 0.3`.

# %% [markdown]
# ## What you built
#
# A plan for stages that overlap, and the rule by which an early answer is kept or dropped. You can
# say for any turn where its time went, and prove what a setting changes.
#
# Next comes what makes it polite: [Let me interrupt](08_let_me_interrupt.ipynb)
