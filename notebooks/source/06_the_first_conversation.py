# %% [markdown]
# # The first conversation
#
# **You will build** an assistant, in thirty lines, and find out where its second goes.
# **Needs** nothing but this notebook. **Time** 25 minutes.
#
# **Microphone → hear → think → speak → loudspeaker**: you are here, at all of it at once.

# %% tags=["parameters"]
LIVE = False  # True when you sit at a machine with a microphone
ENGINES = "offline"  # "best" takes the best engines that are here

# %% [markdown]
# ## Predict first
#
# A person answers another after 200 milliseconds. How long will it be quiet before your assistant
# speaks? Guess each part, in seconds, before you measure. Nobody looks, and it is the one way to
# learn what is slow.

# %%
my_guess = {
    "turn is over": 0.5,  # quiet, until it is sure that you have finished
    "text": 0.1,  # your sound as words
    "first token": 0.1,  # the model's first piece of a word
    "first sentence": 0.1,  # and its first full stop
    "first sound": 0.1,  # that sentence as sound
}
print(f"You expect {sum(my_guess.values()):.1f} s of silence.")

# %% [markdown]
# ## The stages
#
# An engine for each, as in the notebooks before.

# %%
# %matplotlib inline
import time
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display

from voice_kit import RATE, Audio, Message
from voice_kit.converse.loading import load_engines
from voice_kit.settings import Settings, load_settings

OFFLINE = {"stt": "sphinx", "llm": "handbook", "tts": "espeak"}
settings = load_settings() if ENGINES == "best" else Settings().changed(OFFLINE)
engines = load_engines(settings)
for choice in engines.choices:
    print(choice)

# %%
from voice_kit.hear.detection import Detection
from voice_kit.hear.ears import Ears
from voice_kit.speak.split import sentences
from voice_kit.types import TurnEnded
from voice_kit.workshop import by_hand

PERSONA = Message("system", settings.persona)


def turn_in(frames):
    """The first turn that somebody takes in these frames: its sound, and when it ended."""
    ears, vad = Ears(settings.hear), Detection(engines.vad.current)
    for frame in frames:
        for event in ears.feed(frame, vad.probability(frame)):
            if isinstance(event, TurnEnded):
                return event
    raise ValueError("Nobody finished a turn in this sound.")


def transcribe(sound):
    """The words of a sound."""
    return by_hand.transcribe(engines.stt.current, sound).text


def reply(text):
    """The model's answer, token by token."""
    return by_hand.reply(engines.llm.current, [PERSONA, Message("user", text)])


def speak(sentence):
    """A sentence as one sound."""
    parts = [speech.audio for speech in by_hand.speak(engines.tts.current, sentence)]
    return Audio(np.concatenate([part.samples for part in parts]), parts[0].rate)


# %% [markdown]
# ## The whole chain
#
# ![Record, speak, detect, transcribe, think, speak: six steps from left to right, and an arrow
# back, because it goes on listening while it speaks](../figures/flow.svg)
#
# **Exercise.** Join the stages: the question's sound goes in, the answer's sounds come out, one for
# each sentence, each as soon as it is there. Nobody should be answered who said nothing.


# %% tags=["exercise"]
def answer(question, transcribe, reply, cut, speak):
    """Yield a sound for each sentence of the answer.

    `transcribe(question)` gives a text, empty for a cough; `reply(text)` gives tokens;
    `cut(tokens)` makes sentences of them, each as soon as it is complete; `speak(sentence)` gives
    its sound.
    """
    ### BEGIN SOLUTION
    text = transcribe(question)
    if not text:
        return
    for sentence in cut(reply(text)):
        yield speak(sentence)
    ### END SOLUTION


# %% tags=["check"]
from voice_kit.workshop.checks import check, hint, mine

check(answer)


# %%
def usual(question, transcribe, reply, cut, speak):
    """What stands in for yours until it passes."""
    if text := transcribe(question):
        yield from map(speak, cut(reply(text)))


chain = mine(answer, otherwise=usual)

# %% [markdown]
# Now the conversation. Somebody asks; their sound comes frame by frame, as from a microphone. Read
# it downwards: that is an assistant.

# %%
from voice_kit.audio.microphone import frames
from voice_kit.sounds import clip

asked = clip("question_latency")
room = np.concatenate([np.zeros(RATE), asked.audio().samples, np.zeros(2 * RATE)])
microphone = Audio(room.astype(np.float32), RATE)

turn = turn_in(frames(microphone))
sounds = []
for sound in chain(turn.audio, transcribe, reply, sentences, speak):
    sounds.append(sound)

voice = Audio(np.concatenate([sound.samples for sound in sounds]), sounds[0].rate)
print(f"heard:  “{transcribe(turn.audio)}” (said was: “{asked.text}”)")
print(f"answer: “{' '.join(sentences(reply(transcribe(turn.audio))))}”")
display(voice)

# %% [markdown]
# ## Where the second went
#
# The same once more with a stop watch. Each stage hands on to the next while it works, so the watch
# is read when the *first* of each comes: the first token, the first sentence, the first sound.
#
# **Exercise.** The watch gives marks: names with times, in order. How long did each part take?


# %% tags=["exercise"]
def spans(marks):
    """From [(name, when), …] in order: [(name, seconds since the mark before), …]."""
    ### BEGIN SOLUTION
    return [(name, end - start) for (_, start), (name, end) in pairwise(marks)]
    ### END SOLUTION


# %% tags=["check"]
check(spans)

# %%
parts_of = mine(
    spans,
    otherwise=lambda marks: [(after[0], after[1] - before[1]) for before, after in pairwise(marks)],
)


def timed_answer(turn):
    """Marks of one answer, in seconds after the last word."""
    wait = turn.at - turn.ended  # counted in samples: the microphone would have been waiting too
    marks = [("your last word", 0.0), ("turn is over", wait)]
    began = time.perf_counter() - wait

    def marked(name, items):
        for number, item in enumerate(items):
            if number == 0:
                marks.append((name, time.perf_counter() - began))
            yield item

    def heard(sound):
        text = transcribe(sound)
        marks.append(("text", time.perf_counter() - began))
        return text

    def tokens(text):
        return marked("first token", reply(text))

    def pieces(given):
        return marked("first sentence", sentences(given))

    next(marked("first sound", chain(turn.audio, heard, tokens, pieces, speak)))
    return marks


marks = timed_answer(turn)
measured = dict(parts_of(marks))

figure, axes = plt.subplots(figsize=(9, 2.6), layout="constrained")
for row, parts in enumerate((measured, my_guess)):
    left = 0.0
    for number, (name, seconds) in enumerate(parts.items()):
        axes.barh(row, seconds, left=left, color=f"C{number}", label=name if row == 0 else None)
        left += seconds
axes.axvspan(0, 0.2, color="black", alpha=0.15)
axes.set(
    yticks=[0, 1], yticklabels=["measured", "your guess"], xlabel="seconds after your last word"
)
figure.legend(loc="outside upper center", ncols=5, fontsize=8)
plt.show()

print(f"{'part':<16}{'your guess':>12}{'measured':>12}")
for name, seconds in measured.items():
    print(f"{name:<16}{my_guess[name] * 1000:>9.0f} ms{seconds * 1000:>9.0f} ms")
silence = sum(measured.values())
print(f"{'silence':<16}{sum(my_guess.values()) * 1000:>9.0f} ms{silence * 1000:>9.0f} ms")
print(f"The longest part is “{max(measured, key=measured.get)}”.")

# %% [markdown]
# Grey is where a person would have answered. Which part would you attack first?

# %% [markdown]
# ## The package's conversation
#
# `Conversation` is your chain with everything that a live one needs: it never stops listening, it
# can be interrupted, it remembers, a stage that fails costs one turn, and every event goes to
# whoever observes. The `Timeline` observes; so it can say where the time went. The sound goes to
# a silent loudspeaker here, which takes as long as a real one: about ten seconds.

# %%
from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.timeline import Timeline
from voice_kit.show.timeline import draw, headline, waterfall

timeline = Timeline()
talk = Conversation(engines, SilentSpeaker(), settings, observers=[timeline])
async with talk:
    await talk.listen(FileMicrophone(microphone))

first = timeline.turns[0]
print(f"answer: “{first.said}”")
print(headline(first))
print(*waterfall(first), sep="\n")
display(draw(timeline.turns))

# %%
ours = first.voice_to_voice
print(f"by hand:     {silence * 1000:5.0f} ms of silence")
print(f"the package: {ours * 1000:5.0f} ms, its work", end=" ")
print("begun before the turn was certain" if first.eager else "begun when the turn was over")
if ours > silence:
    print("The machine was busy with something else. Run both again to compare.")

# %% [markdown]
# Same engines, same question. The package begins to work in the first short pause, behind a closed
# gate: if you go on, nothing has happened; if not, the answer is nearly ready when your turn is
# over. With PocketSphinx that hides most of its half second.

# %% [markdown]
# ## It remembers
#
# A conversation is more than one turn: what was said before, and what was *heard* of the answers,
# goes along with the next question. It also takes typed lines, and needs no loudspeaker.

# %%
import textwrap

from voice_kit.audio.no_speaker import NoSpeaker

again = Timeline()
talk = Conversation(engines, NoSpeaker(), settings, observers=[again])
async with talk:
    for line in ("Why is latency important?", "Say that again."):
        talk.type(line)
        await talk.idle()

for each in again.turns:
    print(f"you: {each.heard}", textwrap.fill(f"kit: {each.said}", 96), sep="\n", end="\n\n")
print("What the model is given with the next question:")
for message in talk.history.lines:
    print(f"  {message.role:<10} {message.content[:70]}")

# %% [markdown]
# ## OPTIONAL: the field
#
# - **A chain**, as here: every part can be seen, measured, replaced, run at home. It waits at each
#   border.
# - **Speech to speech** (Moshi, the realtime models of the large providers): one model hears and
#   speaks; quick and melodious, and nobody can say why it said what it said.
# - **Frameworks** (Pipecat, LiveKit Agents, FastRTC): chains with transport and many services.
#   `make bench` measures two of them beside ours.

# %% [markdown]
# ## Things to try
#
# - Another question: `clip("question_token")`, or your own sound: `voice_kit.audio.files.read`.
# - `settings.changed({"hear.stop": 0.2, "persona": "You are a pirate. Answer in one sentence."})`.
#   The handbook does not do pirates: what does that tell you about it?
# - Give `chain` a `cut` that waits for the whole answer. What does the first sound cost now?

# %% [markdown]
# ## What you built
#
# An assistant that hears a question and answers it aloud, sentence by sentence, and a stop watch
# that says where the silence comes from. You know which part you would attack first.
#
# In the next notebooks it becomes fast, polite, and able to do things.
# Next: [Make it fast](07_make_it_fast.ipynb)
