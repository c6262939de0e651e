# %% [markdown]
# # Tools and memory
#
# **You will build** a tool that the assistant can use, a fence that keeps it where it belongs, and
# a memory that survives a restart.
# **Needs** nothing but this notebook. **Time** 25 minutes.
#
# Microphone → hear → **think** → speak → loudspeaker: you are here, where things get done.

# %% tags=["parameters"]
LIVE = False  # True when you sit at a machine with a microphone
ENGINES = "offline"  # "best" takes the best engines that are here

# %% [markdown]
# ## A tool is a function
#
# ![The model writes the name of a function and arguments; we check and call it, or refuse; the
# result goes back to the model](../figures/tool_call.svg)
#
# A language model cannot do anything: it writes text. So it is told, in words, which functions
# there are. If it wants one, it writes the name and the arguments, *we* call it, and the result
# goes back into the conversation as one more message. That is all that “tool calling” means.
#
# **Exercise.** Describe a function as plain data. Everything is written at it already.


# %% tags=["exercise"]
def describe(function):
    """Its name, its description and its parameters: {"name": …, "description": …, "parameters":
    {argument: name of its type, …}}."""
    ### BEGIN SOLUTION
    import inspect

    types = inspect.get_annotations(function, eval_str=True)
    return {
        "name": function.__name__,
        "description": inspect.getdoc(function),
        "parameters": {name: each.__name__ for name, each in types.items() if name != "return"},
    }
    ### END SOLUTION


# %% tags=["check"]
from voice_kit.workshop.checks import check, hint, mine

check(describe)

# %%
import json
import random

from voice_kit.think.tools import tool


def roll_dice(count: int, sides: int = 6) -> str:
    """Roll some dice.

    count: how many
    sides: how many sides each has
    """
    return f"{sum(random.randint(1, sides) for _ in range(count))}, from {count} dice."


def package_description(function):
    """The same with the package's `tool`."""
    made = tool()(function)
    types = {name: each.get("type") for name, each in made.parameters["properties"].items()}
    return {"name": made.name, "description": made.description, "parameters": types}


described = mine(describe, otherwise=package_description)
print(json.dumps(described(roll_dice), indent=2))

# %% [markdown]
# The package's `@tool()` makes of it what models read (a JSON Schema, with what the docstring says
# of each argument), and it **checks**: what comes from a model may be anything.

# %%
from voice_kit.think.tools import ToolError

dice = tool()(roll_dice)
print(json.dumps(dice.parameters, indent=1))
for arguments in ({"count": 2}, {"count": "2", "sides": 20}, {"count": "many"}, {"dice": 3}):
    try:
        print(f"{arguments} → {dice.checked(arguments)}")
    except ToolError as error:
        print(f"{arguments} → refused: {error}")

# %% [markdown]
# The refusal goes back to the model, which may try again. Nothing was done.

# %% [markdown]
# ## Skills need no model
#
# For what people ask every day, a model is slow and may be wrong. A **skill** understands the
# sentence by itself, fills in the blanks, and is done in a few milliseconds. The `Assistant` is the
# conversation that you know, with skills, search and memory.

# %%
import tempfile
from pathlib import Path

from voice_kit.audio.no_speaker import NoSpeaker
from voice_kit.converse.assistant import Assistant
from voice_kit.converse.loading import load_engines
from voice_kit.settings import Settings, load_settings
from voice_kit.types import Routed, ToolUsed, TurnFinished

home = Path(tempfile.mkdtemp())  # notes, timers and the memory of this lesson
OFFLINE = {"stt": "sphinx", "llm": "handbook", "tts": "espeak"}
settings = load_settings() if ENGINES == "best" else Settings().changed(OFFLINE)
settings = settings.changed({"memory.store": f"sqlite:{home / 'memory.sqlite'}"})
engines = load_engines(settings)


def watch(event):
    """Tell what is decided and done."""
    if isinstance(event, Routed):
        print(f"     {event.route.kind}: {event.route.reason}")
    elif isinstance(event, ToolUsed):
        print(f"     {event.call.tool} {dict(event.call.arguments)}, {event.took * 1000:.1f} ms")
    elif isinstance(event, TurnFinished):
        print(f"kit: {event.said}\n")


async def say(*lines):
    """Type lines to a new assistant, and leave it."""
    talk = Assistant(engines, NoSpeaker(), settings, observers=[watch], folder=home)
    async with talk:
        for line in lines:
            print(f"you: {line}")
            talk.type(line)
            await talk.idle()


await say(
    "What is twelve times seven?",
    "Set a timer for ten minutes.",
    "Take a note: buy milk.",
    "Read my notes.",
)

# %% [markdown]
# ## Safety
#
# A tool runs with your rights, on words that may have been misheard, or written by a stranger on a
# web page. The package's rules:
#
# - What touches the machine is **off** until you name it in `tools.allow`.
# - What cannot be undone **asks aloud**, and waits for “yes”.
# - Nothing runs while it is uncertain whether you have finished.
# - What the web says is **data**, never an instruction.
# - Notes stay in their folder.
#
# **Exercise.** Write the last of these rules. Names come from speech, and may be anything.


# %% tags=["exercise"]
def inside(folder, name):
    """The path of `name` in this folder, a Path. Raises ValueError if it leads out of it."""
    ### BEGIN SOLUTION
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name} is outside of the notes.")
    return path
    ### END SOLUTION


# %% tags=["check"]
check(inside)


# %%
def fenced(folder, name):
    """What stands in for yours until it passes."""
    path = (folder / name).resolve()
    if folder.resolve() not in path.parents:
        raise ValueError(name)
    return path


fence = mine(inside, otherwise=fenced)
for name in ("shopping.md", "../../.ssh/id_rsa", "/etc/passwd"):
    try:
        print(f"{name}: {fence(home, name).name} in the folder")
    except ValueError:
        print(f"{name}: refused")

# %% [markdown]
# Now try to do harm by asking. Opening things is off; forgetting everything asks first, and here
# the answer is no.

# %%
await say("Open the calculator.", "Forget everything.", "No.")

# %% [markdown]
# ## A memory that survives
#
# With `memory.store` set, a new start goes on where the old one ended. What you ask it to remember
# comes back when it matters, and is told to the model with the question.

# %%
await say("Remember that my cat is called Miso.")

# %%
await say("What is my cat called?")

# %% [markdown]
# That was a new assistant, which read a file: SQLite, one line for each thing said. Look into it,
# and at what a model is given with a question about cats. Only what matters, and what fits.

# %%
import sqlite3

with sqlite3.connect(home / "memory.sqlite") as database:
    tables = [
        row[0] for row in database.execute("select name from sqlite_master where type='table'")
    ]
print(f"{(home / 'memory.sqlite').stat().st_size} bytes, tables: {', '.join(tables)}")

from voice_kit.think.memory import make_history

history = make_history(settings)
for message in history.prompt("You are a kind assistant.", 300, about="Does my cat like milk?"):
    print(f"  {message.role:<10} {message.content[:150]}")
history.close()

# %% [markdown]
# ## Forgotten means gone
#
# “Forget everything” has to leave nothing in the file, not even in the pages that a database no
# longer uses.

# %%
await say("Forget everything.", "Yes.", "What is my cat called?")
left = b"Miso" in b"".join(file.read_bytes() for file in home.glob("memory.sqlite*"))
print(f"“Miso” is {'still' if left else 'nowhere'} in the files.")

# %% [markdown]
# ## OPTIONAL: a tool of your own, in the assistant
#
# A tool server that speaks the Model Context Protocol (**MCP**) needs a line in the settings, and
# its tools stand beside the kit's: `voice-kit doctor` says whether it starts.
#
# ```toml
# [tools.servers.home]
# command = ["python", "my_lamps.py"]
# ```

# %% [markdown]
# ## Things to try
#
# - “What can you do?”, “Wake me at seven”, “How many miles are ten kilometres?”
# - `voice-kit ask "remind me to call Ann in an hour" --json` shows route, tools and sources.
# - Write `inside` wrongly on purpose. Which of its tests finds it?

# %% [markdown]
# ## What you built
#
# The description of a tool, a fence around what it may touch, and a conversation that goes on after
# a restart and forgets when it is told to. You know why what comes from a model is checked like
# what comes from a stranger.
#
# Next: [The live loop](11_the_live_loop.ipynb)
