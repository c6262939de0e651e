# %% [markdown]
# # The live loop
#
# **You will build** the whole assistant, live in this notebook: it hears you through the browser,
# answers aloud, lets you interrupt, and shows where every millisecond went.
# **Needs** nothing; a microphone, a loudspeaker and better engines where you have them.
# **Time** 30 minutes.
#
# **Hear → think → speak**: you are everywhere at once.

# %% tags=["parameters"]
LIVE = False  # True when you sit at a machine with a microphone
ENGINES = "offline"  # "best" takes the best engines that are here

# %% [markdown]
# ## Your part in it
#
# What you wrote in the notebooks before runs here, live, with all its faults, once its check has
# passed: which frames are loud (02), where a sentence ends (05), when to act (09). The kit's own
# parts do the rest. And here is a **skill** of yours: the phrases that ask for it, and a function.
# Change both.

# %%
import random

from voice_kit.think.skills import skill
from voice_kit.workshop.yours import yours


@skill("roll [a | the] dice", "throw [a | the] dice")
def roll_dice() -> str:
    """Roll a dice, and say what came up."""
    return f"You rolled a {random.randint(1, 6)}."


own = yours(roll_dice)  # without yours: Own(), from voice_kit.converse.own

# %% [markdown]
# ## The panel
#
# ![Notebook views, terminal, web service and workshop on top; below them the one loop; below it
# hear, think and speak with their engines; then audio, and the nouns](../figures/architecture.svg)
#
# A `Panel` is made of what you have met: a microphone and a loudspeaker, an `Assistant`, and views
# that watch its events. None of them knows of the others. `start()` returns at once; the engines
# are loaded in the background, which is told below the buttons. The last lines wait for that, for a
# few seconds.
#
# Live, start the microphone with its button and ask *What is voice activity detection?* Talk over
# the answer to interrupt it. Without a microphone, type into the box below the transcript. With
# headphones it cannot hear itself.

# %%
from IPython.display import display

from voice_kit.settings import Settings, load_settings
from voice_kit.show import Panel
from voice_kit.workshop.export import export

offline = Settings(stt="sphinx", llm="handbook", tts="espeak", judge="text")
settings = load_settings() if ENGINES == "best" else offline

panel = Panel(settings, own=own, live=LIVE, export=export).start()
if LIVE:
    display(panel)
else:
    print("Not live: the panel runs all the same, and is told here in words.")
await panel.ready()
print("Ready.")

# %% [markdown]
# ## A recorded question
#
# Where nobody speaks, a recording does. It comes frame by frame, as fast as it was spoken, on the
# way that the microphone's frames take: the loop does not know the difference. This takes about ten
# seconds, because it is heard and answered in real time. Live, you ask.

# %%
from voice_kit.sounds import clip

question = clip("question_vad")
print(f"The recording says: “{question.text}”")

for turn in [] if LIVE else await panel.play(question.audio()):
    print(f"you: {turn.heard}")
    print(f"kit: {turn.said_heard}")

# %% [markdown]
# ## Where the time went
#
# From your last word to the first sound of the answer. In the panel, click a bar to read why it is
# that long. Live, run this cell, and those below, once you have talked a little.

# %%
from voice_kit.show.timeline import headline, waterfall

for turn in panel.turns:
    print(headline(turn))
    print(*waterfall(turn), sep="\n")
    print(panel.board.views.timeline.why(turn.number))

# %% [markdown]
# ## A typed line
#
# A conversation needs no microphone: a typed line is a turn like any other. These are answered by
# skills and not by the language model; one of them is yours.

# %%
for line in () if LIVE else ("What is twelve times twelve?", "Roll the dice!"):
    for turn in await panel.ask(line):
        print(f"you: {turn.heard}")
        print(f"kit: {turn.said_heard}")

# %% [markdown]
# ## Change it while it runs
#
# What if it had waited longer for the end of your turn? The last question is asked **again** with
# other values, and without the judge, who knows that a finished sentence needs no long wait. All
# was written along while you talked, so that nothing is computed twice that would come out the
# same. This takes about ten seconds. Which wait would you choose?

# %%
if not LIVE:
    await panel.play(clip("question_latency").audio())

for seconds in (0.3, 1.0, 3.0) if panel.turns else ():
    result = await panel.again({"judge": "silence", "hear.stop": seconds}, aloud=False)
    print(f"after {seconds} s of quiet: {str(result).splitlines()[0]}")

# %% [markdown]
# The settings are a snapshot: a turn keeps those it began with, and a new value counts from the
# next turn on, as do new engines. In the panel, these are the sliders and the choices.

# %%
if panel.turns:
    panel.settings = panel.settings.changed({"hear.stop": 0.4})
    await panel.use(judge="silence")  # without a judge, only hear.stop decides
    print(f"It waits {panel.settings.hear.stop} s, and no judge is asked.")
    print(panel.board.choosers.text())

# %% [markdown]
# ## Take it home
#
# One file with your engines and your settings, which runs in a terminal: `python my_assistant.py`.

# %%
file = panel.export("my_assistant.py", force=True)
lines = file.read_text(encoding="utf-8").splitlines()
print(f"{file}: {len(lines)} lines, of which the first says:")
print(lines[0])

# %% [markdown]
# ## Two that talk with each other
#
# What one of them plays, the other one hears: two whole loops, with their turns, pauses and
# patience. One asks, the other answers. Offline their ears are told the words, because PocketSphinx
# hardly understands a synthetic voice; all else is real, on a clock that leaps over the waiting. Do
# they ever interrupt each other? Live, put two laptops side by side instead, and let one begin:
# `panel.talk.announce("Hello. What is latency?")`.

# %%
import asyncio
from itertools import zip_longest

from voice_kit.converse.virtual import run
from voice_kit.workshop.two import guests, talk_together

told = ENGINES != "best"
voice = "espeak:en-us+f3"  # the one who asks
one, other = guests(settings, ["What is barge-in?"], voice=voice, told=told)
meeting = talk_together(one, other, "Hello. What is latency?", turns=3)
sound = await asyncio.to_thread(run, meeting, fast=True) if told else await meeting

for lines in zip_longest(one.talk.history.lines, other.talk.history.lines):
    for name, line in zip(("ada", "bob"), lines, strict=True):
        if line and line.role == "assistant":
            print(f"{name}: {line.content}")
sound

# %% [markdown]
# ## Stop
#
# Live, go on talking as long as you like, and stop it with the button. Restarting the kernel ends
# it as well; closing the page, or clearing this output, lets the microphone go. What was recorded
# for *again* is deleted now; press **Record** before to keep it.

# %%
if not LIVE:
    print(panel.text())
    await panel.stop()
    print(f"Still running: {panel.running}")

# %% [markdown]
# ## What you built
#
# An assistant that listens while it speaks, as one task on the notebook's own event loop, with
# every part in view and most of them in your hands. The same loop runs in a terminal, in the file
# that you took home, and on a server for many people at once.
# Next: [On the web](12_on_the_web.ipynb)
