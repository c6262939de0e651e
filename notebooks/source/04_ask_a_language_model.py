# %% [markdown]
# # Ask a language model
#
# **You will build** a watch for the first token, and a memory that fits into a budget.
# **Needs** nothing but this notebook; Ollama with a model if you have it. **Time** 20 minutes.
#
# Microphone → hear → **think** → speak → loudspeaker: you are here, between question and answer.

# %% tags=["parameters"]
LIVE = False  # True when you sit at a machine with a microphone
ENGINES = "offline"  # "best" takes the best engines that are here

# %% [markdown]
# ## Tokens
#
# A language model reads neither words nor letters, but pieces that lie between: **tokens**. Which
# ones, is learnt from much text: begin with letters, join the pair of neighbours that is most
# frequent, and again, a hundred thousand times. Here it is by hand, six hundred times, on this
# kit's own handbook. It takes a few seconds.

# %%
import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy comes: steadier times further down
# %matplotlib inline
import re
from collections import Counter
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

from voice_kit.think.llm_handbook import FOLDER, read_page

entries = [entry for page in sorted(FOLDER.glob("*.md")) for entry in read_page(page)]
text = " ".join(paragraph for entry in entries for paragraph in entry.paragraphs)
counts = Counter(re.findall(r" ?\w+|[^\w\s]", text))


def joined(pieces, pair):
    """The pieces, with every such pair of neighbours made one."""
    done = []
    for piece in pieces:
        if done and (done[-1], piece) == pair:
            done[-1] += piece
        else:
            done.append(piece)
    return done


cut = {word: list(word) for word in counts}
merges = []
for _ in range(600):
    pairs = Counter()
    for word, pieces in cut.items():
        for pair in pairwise(pieces):
            pairs[pair] += counts[word]
    best = max(pairs, key=pairs.get)
    merges.append(best)
    cut = {w: joined(pieces, best) if best[0] in pieces else pieces for w, pieces in cut.items()}


def tokens_of(text):
    """The text in tokens: the same pairs are joined, in the order in which they were learnt."""
    tokens = []
    for word in re.findall(r" ?\w+|[^\w\s]", text):
        pieces = list(word)
        for pair in merges if word not in cut else ():
            pieces = joined(pieces, pair)
        tokens += cut.get(word, pieces)
    return tokens


print(f"From {len(text)} letters. Joined first:", ", ".join("".join(m) for m in merges[:6]), "…")
print("Joined last:", ", ".join("".join(pair).strip() for pair in merges[-6:]))
for sentence in (
    "The model reads the question.",
    "The hippopotamus reads Dostoyevsky.",
    "Das Modell liest die Frage.",
):
    tokens = tokens_of(" " + sentence)
    print(f"{len(sentence) / len(tokens):.1f} letters a token: {'|'.join(tokens)}")

# %% [markdown]
# What was frequent is one token; what is rare falls apart into many, and takes as many steps to
# read and to write. Models that know a hundred thousand tokens reach about four letters each in
# English; the package counts with that, for it need not know which model you have.

# %%
from voice_kit.think.history import estimated_tokens

sentence = "The model reads the question."
print(f"the package’s estimate: {estimated_tokens(sentence)} tokens, ours: ", end="")
print(len(tokens_of(" " + sentence)))

# %% [markdown]
# ## One after the other
#
# A language model does one thing: it says how likely each token is to come *next*. Take one, put it
# behind the text, ask again: that is all writing is. This one knows only what followed each two
# tokens in the handbook, and looks no further back. A large one looks back at everything.

# %%
whole = tokens_of(text)
follows = {}
for one, two, after in zip(whole, whole[1:], whole[2:], strict=False):
    follows.setdefault((one, two), Counter())[after] += 1


def babble(one, two, seed):
    """Tokens, each drawn from those that once followed the two before it; up to a full stop."""
    dice = np.random.default_rng(seed)
    while two != "." and (one, two) in follows:
        likely = follows[one, two]
        chances = np.array(list(likely.values())) / likely.total()
        one, two = two, str(dice.choice(list(likely), p=chances))
        yield two


likely = follows[" language", " model"]
chances = [f"“{token}” {count / likely.total():.0%}" for token, count in likely.most_common(4)]
print("After “ language model” comes:", ", ".join(chances))
for seed in (1, 3, 4, 5, 6):
    print("A language model" + "".join(babble(" language", " model", seed)))

# %% [markdown]
# It sounds like the handbook and means nothing. Note the `yield`: a model cannot give its answer at
# once, it *is* a stream. Whoever waits for its end to read its beginning has thrown time away.

# %% [markdown]
# ## A model that answers
#
# The package takes the best model that is here. Without a model server that is the handbook, which
# is no model at all: it looks for the nearest question that it knows, and reads the answer from
# a page, word by word. It never makes anything up, and it can do nothing else.

# %%
from voice_kit import Message, engines
from voice_kit.settings import Settings, load_settings
from voice_kit.workshop import by_hand

offline = {"llm": "handbook"}
settings = load_settings() if ENGINES == "best" else Settings().changed(offline)
choice = engines.choose("llm", settings)
llm = engines.make("llm", choice.spec, settings)
print(choice)
if ENGINES != "best":
    print(f'With ENGINES = "best" it would be {engines.choose("llm", Settings())}')

# %%
question = "What is time to first token?"
messages = [Message("system", settings.persona), Message("user", question)]
for message in messages:
    print(f"{message.role:>9}: {message.content}")
print("assistant:", end=" ")
for token in by_hand.reply(llm, messages):
    print(token, end="", flush=True)

# %% [markdown]
# A conversation goes to the model as a list of messages. `system` says how to behave, `user` is
# you, `assistant` is what it said itself. These are Ollama's own lines for the same:

# %%
try:
    import ollama

    from voice_kit.think.llm_ollama import Ollama

    name = Ollama.here()
except Exception as missing:  # the package, the server, or a model
    print(missing)
    print("The lesson goes on without.")
else:
    asked = [{"role": message.role, "content": message.content} for message in messages]
    for part in ollama.chat(name, asked, stream=True, options={"num_predict": 80}):
        print(part.message.content or "", end="", flush=True)

# %% [markdown]
# The package's engine adds what a conversation needs: it ends the work when you interrupt, says in
# one sentence what is missing, uses tools, and keeps back what is not to be said:

# %%
from voice_kit.think.spoken import Spoken

stream = ["<thi", "nk>", "They ask for ", "the time.</", "think>", "It", " is", " noon."]
spoken = Spoken()
for token in stream:
    print(f"{token!r:<18} → {spoken.feed(token)!r}")

# %% [markdown]
# ## The first token
#
# Before it writes anything, a model reads the whole prompt. So there are two speeds: how long until
# the **first token**, and how many tokens a second after that. A voice speaks four or five tokens
# a second, and nearly every model writes faster; but you wait for all of the first.
#
# **Exercise.** Measure it. `tokens` is a stream that has not begun; do not take more than you need.


# %% tags=["exercise"]
def first_token_time(tokens):
    """Seconds from now until the first of `tokens` comes; None when there is none."""
    ### BEGIN SOLUTION
    began = time.perf_counter()
    for _ in tokens:
        return time.perf_counter() - began
    return None
    ### END SOLUTION


# %% tags=["check"]
import time

from voice_kit.workshop.checks import check, hint, mine

check(first_token_time)


# %%
from voice_kit.workshop.lab_engines import timed


def first_of(tokens):
    """The same with the package's watch."""
    token, seconds = timed(lambda: next(tokens, None))
    return None if token is None else seconds


until_first = mine(first_token_time, otherwise=first_of)
seconds = until_first(by_hand.reply(llm, messages))
print(f"{llm.name}: the first token after {seconds * 1000:.1f} ms")

# %% [markdown]
# The handbook takes a millisecond or two whatever you ask. So here is a real network, only very
# small, and with dice for weights: what it writes is nonsense, but it works as the large ones do,
# and its time is real. Reading, it takes the whole prompt at once; writing, one token after the
# other, remembering what it computed before.

# %%
LAYERS, WIDTH, TOKENS = 4, 192, 2000
dice = np.random.default_rng(1)
table = dice.normal(0, 1, (TOKENS, WIDTH)).astype(np.float32)
shapes = [(WIDTH, 3 * WIDTH), (WIDTH, WIDTH), (WIDTH, 4 * WIDTH), (4 * WIDTH, WIDTH)]
network = [
    [
        dice.normal(0, 0.5 / rows**0.5, (rows, columns)).astype(np.float32)
        for rows, columns in shapes
    ]
    for _ in range(LAYERS)
]


def think(x, memory):
    """One pass over these tokens; `memory` keeps what later ones look back at."""
    for layer, (look, mix, up, down) in enumerate(network):
        query, key, value = np.split(x @ look, 3, axis=1)
        keys, values = memory.get(layer, (key[:0], value[:0]))
        keys, values = np.concatenate([keys, key]), np.concatenate([values, value])
        memory[layer] = keys, values
        scores = query @ keys.T / WIDTH**0.5
        later = np.arange(len(keys)) > np.arange(len(keys) - len(x), len(keys))[:, None]
        scores = np.exp(np.where(later, -1e9, scores - scores.max(axis=1, keepdims=True)))
        x = x + (scores / scores.sum(axis=1, keepdims=True)) @ values @ mix
        x = x + np.maximum(x @ up, 0) @ down
        x = x / np.linalg.norm(x, axis=1, keepdims=True) * WIDTH**0.5
    return x


def write(prompt, count):
    """So many tokens after a prompt, as numbers: the likeliest at each step."""
    memory, given = {}, np.asarray(prompt)
    for _ in range(count):
        token = int(np.argmax(table @ think(table[given], memory)[-1]))
        yield token
        given = np.array([token])


# %%
for _ in write(range(50), 2):
    pass  # the first call of all is slow

LENGTHS = (50, 200, 800, 1600)
firsts, each = [], []
for length in LENGTHS:
    prompt = dice.integers(0, TOKENS, length)
    stream = write(prompt, 21)
    again = [until_first(write(prompt, 1)) for _ in range(2)]  # others use this machine too
    firsts.append(min(*again, until_first(stream)))
    began = time.perf_counter()
    rest = list(stream)
    each.append((time.perf_counter() - began) / len(rest))

figure, axes = plt.subplots(figsize=(8, 2.8), layout="constrained")
places = np.arange(len(LENGTHS))
axes.bar(places - 0.2, [1000 * t for t in firsts], 0.4, label="until the first token")
axes.bar(places + 0.2, [1000 * t for t in each], 0.4, label="for each one after it", hatch="//")
axes.set(xticks=places, xticklabels=LENGTHS, xlabel="tokens in the prompt", ylabel="ms")
axes.legend()
plt.show()
print("prompt     first token    each after it")
for length, first, later in zip(LENGTHS, firsts, each, strict=True):
    print(f"{length:4} tokens  {first * 1000:8.1f} ms  {later * 1000:10.1f} ms")

# %% [markdown]
# The longer the prompt, the longer the silence before the first token; each one after it is cheap
# beside that. A real model has a thousand times our weights, or more. That is why a server keeps
# what it computed for the beginning of a prompt, and why you should not change that beginning each
# turn, as a clock in the persona would.

# %% [markdown]
# ## To be heard, not read
#
# Models learnt to write for screens. Here is an answer as they like to give it, and the same for
# the ear. How long would you have to listen?

# %%
written = """Great question! There are **three main reasons** why an answer may be late:

1. **Endpointing**: the system waits for silence (typically 500-800 ms).
2. **Transcription**: the audio (16 kHz) must be converted to text first.
3. **Generation**: the LLM has to process the entire prompt (incl. history).

For more information, see https://example.com/latency. Let me know if you have questions!"""
heard = (
    "Mostly because it waits to be sure that you have finished. Shall I say what else takes time?"
)

from voice_kit.speak.aloud import aloud

voice = engines.make("tts", "espeak", settings)


def seconds_of(text):
    """How long it takes to say this."""
    return sum(part.audio.seconds for part in voice.speak(aloud(text)))


for name, answer in (("written for the eye", written), ("written for the ear", heard)):
    print(f"{name}: {len(answer)} letters, {seconds_of(answer):.0f} s to listen to")

# %% [markdown]
# And nobody can see bold letters, numbers or links. So the **system prompt** of a voice assistant
# says what it is for: spoken, short, plain. Yours is `settings.persona`. Three things more help:
# that the question was *heard* and may be misheard; to ask back when it makes no sense; not to
# begin with praise, since the first sentence is the one that everybody waits for.

# %%
personas = {
    "the package's": settings.persona,
    "a pirate's": "You are a pirate. Answer in one short sentence, to be spoken aloud.",
    "none": "",
}
for name, persona in personas.items():
    asked = [Message("system", persona), Message("user", "Why is latency important?")]
    answer = "".join(by_hand.reply(llm, asked))
    print(f"{name}: {seconds_of(answer):.0f} s\n  {answer}")
if llm.name == "handbook":
    print("Three times the same: the handbook is no model, and does as it is written.")

# %% [markdown]
# ## It remembers nothing
#
# A model starts anew with every question. What looks like memory is the whole conversation, sent
# along each time. The same question with and without it:

# %%
before = [Message("user", "What is a token?")]
before.append(Message("assistant", "".join(by_hand.reply(llm, before))))
for name, earlier in (("without", []), ("with", before)):
    asked = [Message("system", settings.persona), *earlier, Message("user", "Say that again.")]
    print(f"{name} what was said before: {''.join(by_hand.reply(llm, asked))}")

# %% [markdown]
# So every turn makes the prompt longer: the model slower to begin, and one day it is full. What to
# leave out? The oldest. But never the persona, never the question itself, and no answer without its
# question: a model that finds one makes up what it may have been about.
#
# **Exercise.** Keep what fits. The first message is the persona's and costs nothing here; the last
# one is the question and stays even if it alone is too long. Going back from it, keep messages
# until the next would be more than the budget; the first that is kept has to be the user's.


# %% tags=["exercise"]
def trimmed(messages, budget, cost):
    """The persona, then the newest messages that cost at most `budget` in all, oldest first.

    `cost(message)` says how many tokens one has; `message.role` whose it is.
    """
    ### BEGIN SOLUTION
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
    ### END SOLUTION


# %% tags=["check"]
check(trimmed)

# %%
from voice_kit.think.history import MARKS, History


def package_trims(messages, budget, cost):
    """The same with the package's `History`, which counts for itself."""
    history = History()
    for message in messages[1:]:
        history.add(message.role, message.content)
    return history.prompt(messages[0].content, budget)


def cost(message):
    """About how many tokens a message has, with those that mark where it begins and ends."""
    return estimated_tokens(message.content) + MARKS


from voice_kit.sounds import clips

trim = mine(trimmed, otherwise=package_trims)
asks = [each.text for each in clips() if each.kind == "question"] * 2
BUDGET = 300
handbook = engines.make("llm", "handbook", Settings())  # a long talk, quickly
talk = [Message("system", settings.persona)]
whole, shown = [], []
for ask in asks:
    talk.append(Message("user", ask))
    whole.append(sum(map(cost, talk)))
    prompt = trim(talk, BUDGET, cost)
    shown.append(sum(map(cost, prompt)))
    talk.append(Message("assistant", "".join(handbook.reply(prompt))))

figure, axes = plt.subplots(figsize=(8, 2.8), layout="constrained")
axes.plot(range(1, len(asks) + 1), whole, "o-", label="everything that was said")
axes.plot(range(1, len(asks) + 1), shown, "s-", label=f"trimmed to {BUDGET} and the persona")
axes.set(xlabel="turn", ylabel="tokens in the prompt", ylim=(0, None))
axes.legend()
plt.show()

print(f"After {len(asks)} turns: {whole[-1]} tokens, trimmed {shown[-1]}.")
for name, length in (("everything", whole[-1]), ("trimmed", shown[-1])):
    first = min(until_first(write(dice.integers(0, TOKENS, length), 1)) for _ in range(3))
    print(f"{name:<11} our little network reads it in {first * 1000:.0f} ms")
print(f"Shown now, from the oldest: “{prompt[1].content}” …")

# %% [markdown]
# The package's `History` does the same, by `settings.memory.tokens`; it counts each message once,
# and keeps of an answer only what was *heard* of it. With `memory.store` a conversation survives a
# restart, and what was trimmed is kept as a summary: notebook 10.

# %% [markdown]
# ## OPTIONAL: the field
#
# - **Ollama** (`--llm ollama:qwen3:1.7b`): one command to install, one to fetch a model; the usual
#   choice. On a laptop without a graphics card take 1 to 4 billion weights (Qwen, Gemma, Llama).
# - **llama.cpp** (`--llm llamacpp:FILE.gguf`): the same models in this process, without a server.
# - **Gemma, Qwen**: small and good at many languages. **Mixtral** and other mixtures of experts:
#   many weights, few of them used for each token; for machines with more memory than speed.
# - **Reasoning models**: think aloud before the first word. Turn it off for a conversation.
# - **vLLM, SGLang** (`--llm openai:MODEL` with `base_url`): many conversations on one card.
# - **The clouds** (`--llm openai:…`): cleverest and quick, and what you say leaves the house.

# %% [markdown]
# ## Things to try
#
# - Give your assistant a persona of its own: `settings.changed({"persona": "…"})`, or `persona` in
#   `voice-kit.toml`. Which sentence of it does a small model forget first?
# - Join a thousand pairs instead of six hundred. When do whole words become tokens?
# - `voice-kit ask "What is a token?"` in a terminal; with `--llm ollama:…` if you have it.

# %% [markdown]
# ## What you built
#
# A watch for the first token and a memory with a budget. You can say why a model is a stream, what
# it waits for before its first word, and what a prompt for the ear has to say.
#
# Next: [Give it a voice](05_give_it_a_voice.ipynb)
