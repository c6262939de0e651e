# %% [markdown]
# # For a thousand people
#
# **You will build** a crowd that talks with your assistant, see where it breaks, and take it apart
# until it holds: engines elsewhere, memory elsewhere, and a bill.
# **Needs** nothing but this notebook; Redis where you have it, and Ray if you want to see it run.
# **Time** 20 minutes.
#
# Microphone → **hear → think → speak** → loudspeaker: you are here, many times at once.

# %% tags=["parameters"]
LIVE = False  # True when you sit at a machine with a microphone
ENGINES = "offline"  # "best" takes the best engines that are here
RAY = False  # True starts a cluster on this machine, which takes a minute and a gigabyte

# %% [markdown]
# ## How many at once?
#
# A thousand people *have* your assistant. How many *talk* with it at the same moment? Only that
# number needs machines. If so many begin each minute, and each stays for so long, then on average
# so many are there: **Little's law**, from 1961. It holds for telephones, tills and databases, and
# asks nothing about how regularly they come.
#
# **Exercise.** How many conversations are there at once?


# %% tags=["exercise"]
def conversations_at_once(per_minute, minutes):
    """How many are under way on average, if `per_minute` begin and each lasts `minutes`."""
    ### BEGIN SOLUTION
    return per_minute * minutes
    ### END SOLUTION


# %% tags=["check"]
from voice_kit.workshop.checks import check, hint, mine

check(conversations_at_once)

# %%
import math
import operator

at_once = mine(conversations_at_once, otherwise=operator.mul)
for people, times, minutes in ((1_000, 5, 2), (1_000, 30, 4), (100_000, 5, 2)):
    print(
        f"{people:>7,} people, {times:>2} times a day for {minutes} minutes: "
        f"{at_once(people * times / 10 / 60, minutes):6.0f} at once in the busiest hour"
    )

# %% [markdown]
# (A tenth of a day's calls come in its busiest hour: a rule of thumb from the telephone.)
#
# ## A crowd by hand
#
# Two gateways are started beside this notebook, with all their engines inside, and one whose
# engines are elsewhere; where Redis is installed, one of those too. This takes about ten seconds.

# %%
import tempfile
from pathlib import Path

from voice_kit.errors import MissingEngineError
from voice_kit.workshop.gateways import Gateway, Redis

folder = tempfile.TemporaryDirectory()
try:
    redis = Redis(Path(folder.name))
    memory = {"REDIS": redis.url}
except MissingEngineError as missing:
    redis, memory = None, {}
    print(f"{missing}. Each gateway has a memory of its own until then.")

OFFLINE = ("--stt", "sphinx", "--llm", "handbook", "--tts", "espeak")
chosen = OFFLINE if ENGINES != "best" else ()
first, second = Gateway(*chosen, **memory), Gateway(*chosen, **memory)
empty = Gateway("100", module=("voice_kit.workshop.load_gateway",))
for kit in (first, second, empty):
    kit.ready()
print(f"Three gateways{' and a Redis' if redis else ''} are ready.")

# %% [markdown]
# One of the crowd: connects, asks a recorded question in real time, a frame every 32 milliseconds,
# and notes how long after its last sample the first sound of the answer came. That is what a person
# feels. It is the client of the notebook before, in few lines.

# %%
import asyncio
import json
import random
import time

import numpy as np
import websockets

from voice_kit import FRAME, RATE
from voice_kit.audio import microphone
from voice_kit.audio.formats import to_int16
from voice_kit.serve.protocol import HEADER, SOUND
from voice_kit.sounds import clip

NAMES = ("question_latency", "question_vad", "question_language_model", "question_barge_in")


def messages(name):
    """A recording and ten seconds of quiet, as messages of a frame each; and when it ends."""
    spoken = list(microphone.frames(clip(name).audio()))
    quiet = [np.zeros(FRAME, np.float32)] * (10 * RATE // FRAME)
    packed = [
        HEADER.pack(SOUND, 0, 1, number) + to_int16(frame).tobytes()
        for number, frame in enumerate(spoken + quiet)
    ]
    return packed, clip(name).seconds


QUESTIONS = [messages(name) for name in NAMES]


async def person(kit, question, waits):
    """Seconds from the end of a question to the first sound of its answer."""
    packed, ends = question
    await asyncio.sleep(waits)
    async with websockets.connect(kit.socket, additional_headers=kit.headers) as socket:
        began = time.perf_counter()

        async def speak():
            for number, message in enumerate(packed):
                await asyncio.sleep(began + (number + 1) * FRAME / RATE - time.perf_counter())
                await socket.send(message)

        speaking = asyncio.create_task(speak())
        try:
            async with asyncio.timeout(50):
                while json.loads(await socket.recv())["type"] != "response.output_audio.delta":
                    pass
            return time.perf_counter() - began - ends
        finally:
            speaking.cancel()


async def crowd(kit, people):
    """What so many people feel who ask within the same second."""
    dice = random.Random(people)
    asked = [
        person(kit, QUESTIONS[number % len(QUESTIONS)], dice.uniform(0, 1))
        for number in range(people)
    ]
    return await asyncio.gather(*asked)


# %% [markdown]
# One person, three, six. This takes about fifteen seconds, for they speak in real time.

# %%
inside = {}
for people in (1, 3, 6):
    felt = await crowd(first, people)
    inside[people] = np.percentile(felt, [50, 95])
    middle, slow = inside[people]
    print(
        f"{people:>3} at once: half are answered within {middle:.2f} s, 95 of 100 in {slow:.2f} s"
    )

# %% [markdown]
# The same machine, the same code, and each more who talks makes all of them wait longer. Which part
# is it? At `/metrics` a gateway tells whoever operates it how long its stages took.

# %%
import httpx
from prometheus_client.parser import text_string_to_metric_families

web = httpx.Client(timeout=30, trust_env=False)
told = web.get(f"{first.address}/metrics", headers=first.headers).text
stages = {}
for family in text_string_to_metric_families(told):
    for each in family.samples if family.name == "voice_kit_stage_seconds" else ():
        stages.setdefault(each.labels["stage"], {})[each.name.rpartition("_")[2]] = each.value
took = {name: of["sum"] / of["count"] for name, of in stages.items() if of["count"]}
for name in ("wait", "transcribe", "first_token", "first_sentence", "synthesis", "playback"):
    print(f"{name:<16}{took.get(name, 0) * 1000:6.0f} ms on average")
print(f"The longest is “{max(took, key=took.get)}”.")

# %% [markdown]
# ## The engines elsewhere
#
# ![People reach gateways; gateways call replicas of hear, think and speak on a Ray cluster, a few
# times a turn; Redis holds what was said and who serves it](../figures/scale.svg)
#
# What if the engines are on other machines? Then this process only holds sockets, hears who speaks
# (Silero, for everybody in one batch), keeps the turns apart, and waits. The third gateway is like
# that: its engines take 250 milliseconds together and none of this machine's work, and it waits
# 200 milliseconds for the end of a turn. It shows what *one process carries*, and nothing of how
# clever its answers are.
#
# The package has your crowd as `voice-kit load`: it also acknowledges what was heard, counts what
# came too early or never, and says when it was itself the one who was too slow. This takes about
# fifteen seconds.

# %%
import psutil

from voice_kit.workshop.load import call, felt
from voice_kit.workshop.peers.scenes import scene


def worked():
    """Seconds of a core that the gateway has used, and the time."""
    used = psutil.Process(empty.pid).cpu_times()
    return np.array([used.user + used.system, time.perf_counter()])


elsewhere, work = {}, {}
for people in (10, 40):
    scenes = [scene(("whole",), 1, seed) for seed in range(people)]
    began = worked()
    callers = await call(empty.socket, empty.token, scenes, 100)
    used, seconds = worked() - began
    work[people] = used / seconds
    seen = felt(callers)
    elsewhere[people] = np.array([seen.get("p50", np.nan), seen.get("p95", np.nan)]) / 1000
    middle, slow = elsewhere[people]
    print(
        f"{people:>3} at once: half within {middle:.2f} s, 95 of 100 in {slow:.2f} s; "
        f"{work[people]:.0%} of a core"
    )

# %%
# %matplotlib inline
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
for name, found, mark, color in (
    ("engines inside", inside, "o", "C3"),
    ("engines elsewhere", elsewhere, "s", "C0"),
):
    people = list(found)
    middle, slow = np.array(list(found.values())).T
    axes.plot(people, middle, f"{mark}-", color=color, label=f"{name}: half are below")
    axes.plot(people, slow, f"{mark}:", color=color, label=f"{name}: 95 of 100 are below")
axes.set(xlabel="conversations at once", ylabel="seconds of silence", xlim=0, ylim=0)
axes.legend(fontsize=8)
plt.show()

most = max(work)
carries = int(most * 0.7 / work[most]) if work[most] > 0.01 else 70
print(f"Inside, the silence grew {inside[6][0] / inside[1][0]:.1f}-fold from 1 to 6 conversations;")
print(f"elsewhere it grew {elsewhere[40][0] / elsewhere[10][0]:.1f}-fold from 10 to 40.")
print(f"A process that may be busy 70 of 100 seconds carries about {carries} conversations.")

# %% [markdown]
# So a gateway is cheap, and an answer is not. Whoever wants to serve a thousand people has to ask
# for each engine how many of it there must be.
#
# ## How many engines?
#
# A **replica** is one copy of an engine. If calls come in and each takes so many seconds, so many
# seconds of work come in each second. But nobody may plan for 100 percent: calls come in bunches,
# and the queue before somebody who is always busy grows without end. Seventy percent is usual.
#
# **Exercise.** How many replicas are there to be?


# %% tags=["exercise"]
def replicas(per_second, seconds, use):
    """The fewest that are at most `use` (from 0 to 1) of the time busy; at least one.

    `per_second` calls come in, and each keeps a replica busy for `seconds`.
    """
    ### BEGIN SOLUTION
    return max(1, math.ceil(per_second * seconds / use))
    ### END SOLUTION


# %% tags=["check"]
check(replicas)

# %%
count = mine(replicas, otherwise=lambda rate, seconds, use: 1 + int(rate * seconds / use))
TURN = 13.6  # seconds from one question to the next: ask, wait, listen, think
people = 1_000
print(f"{people:,} at once ask {people / TURN:.0f} questions a second. At a use of 70 percent:")
for name, each, seconds in (
    ("speech-to-text, on a card", 1, 0.10),
    ("speech-to-text, on two cores", 1, 0.49),
    ("sentences spoken, on a card", 3, 0.06),
):
    print(f"{name:<30} {count(each * people / TURN, seconds, 0.7):>4}")
print(f"{'gateways':<30} {math.ceil(people / carries):>4}")

# %% [markdown]
# ## An engine in another process
#
# How does a call get there? By hand: a program that holds an engine, waits for a call, and sends
# back what came of it. Python's `multiprocessing.connection` carries the objects. It unpacks
# whatever comes, and that can be a program; so who calls has to know the key.

# %%
import secrets
import sys
from multiprocessing.connection import Client

from voice_kit.workshop.gateways import Program

REPLICA = """
import os
from multiprocessing.connection import Listener

from voice_kit.engines import make
from voice_kit.settings import Settings

engine = make("stt", "sphinx", Settings())
with Listener(authkey=os.environ["KEY"].encode()) as door:
    print(door.address, flush=True)
    with door.accept() as caller:
        while True:
            method, about = caller.recv()
            caller.send(getattr(engine, method)(about) if method else about)
"""


def replica():
    """The program, and a line to it."""
    key = secrets.token_hex(16)
    program = Program(sys.executable, "-c", REPLICA, KEY=key)
    return program, Client(program.line(), authkey=key.encode())


def asked(line, method, about):
    """What the engine at the other end of the line gives."""
    line.send((method, about))
    return line.recv()


far, line = replica()
sound = clip("question_latency").audio()
began = time.perf_counter()
print(f"The engine over there heard: “{asked(line, 'transcribe', sound).text}”", end=" ")
print(f"({(time.perf_counter() - began) * 1000:.0f} ms)")

hops = []
for _ in range(100):
    began = time.perf_counter()
    asked(line, "", sound.samples[:8192])  # 32 kB there and back, and no work
    hops.append(time.perf_counter() - began)
middle, slow = np.percentile(hops, [50, 99]) * 1000
print(f"The hop alone: {middle:.2f} ms in the middle, {slow:.2f} ms for one in a hundred.")

# %% [markdown]
# Far less than a millisecond here, one or two to another machine, against half a second of work:
# that is why engines may be elsewhere. Three such calls a turn are nothing; one for each frame, and
# a thousand people, would be thirty thousand a second.
#
# Now the other process dies, as machines do. Who has called gets an error, and has to decide: call
# another one, or make do with what is here. Either way somebody is waiting, so it must be quick.

# %%
from voice_kit.engines import make
from voice_kit.settings import Settings
from voice_kit.workshop import by_hand

far.kill()
began = time.perf_counter()
try:
    heard = asked(line, "transcribe", sound)
except (EOFError, OSError) as error:
    print(f"The call failed with {type(error).__name__}; the engine that is here takes over.")
    heard = by_hand.transcribe(make("stt", "sphinx", Settings()), sound)
print(f"heard: “{heard.text}”, {time.perf_counter() - began:.1f} s after the call")

# %% [markdown]
# **Ray Serve** is that, grown up: it puts replicas on the machines that have room, with a part of
# a graphics card each if need be; starts a new one when one dies, and more when calls queue;
# carries a cancellation to where the work is done. This is the whole of the package's application:
# each stage is a deployment that scales on its own.

# %%
import inspect

from voice_kit.serve import ray_app

print(inspect.getsource(ray_app.build))

# %% [markdown]
# What it adds to your lines: a call that is given up is cancelled over there; one that fails before
# anything was heard is made once more; and when nobody is there at all, the gateway's own engine
# answers, and the conversation is told so.
#
# ## OPTIONAL: a cluster on this machine
#
# With `RAY = True` above, `voice-kit serve --ray local` is started: a cluster with the three
# engines as replicas. It takes a minute and a gigabyte of memory. A question is asked, the
# recogniser's replica is killed, and the question is asked again: its call is made once more, to
# the replica that Ray starts instead, and that one has to load its engine first. Where a few
# seconds of silence are too many, keep two replicas of everything.

# %%
if RAY:
    cluster = Gateway("--ray", "local", *chosen).ready()
    print(web.get(f"{cluster.address}/ready").json()["engines"])
    print(f"all there: {await person(cluster, QUESTIONS[0], 0):.2f} s of silence")
    for each in psutil.process_iter(["cmdline"]):
        if "ServeReplica" in (name := " ".join(each.info["cmdline"] or [])) and ":stt" in name:
            print(f"killed: {name.strip()}")
            each.kill()
    print(f"without it: {await person(cluster, QUESTIONS[0], 0):.2f} s of silence")
    cluster.end()
else:
    print("RAY is False: no cluster was started.")

# %% [markdown]
# ## The memory elsewhere
#
# A gateway can die as well. Its sockets break, its people connect again, and a load balancer sends
# them to another one. That one has never heard of them, unless what they said is kept where both
# can read it: in **Redis**. Somebody tells the first gateway something, it is killed without
# a warning, and the second is asked.


# %%
async def ask(kit, text, conversation=""):
    """The answer to a typed line, and the number of the conversation."""
    address = f"{kit.socket}?conversation={conversation}" if conversation else kit.socket
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    async with websockets.connect(address, additional_headers=kit.headers) as socket:
        await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
        await socket.send(json.dumps({"type": "response.create"}))
        async with asyncio.timeout(60):
            while (event := json.loads(await socket.recv()))["type"] != "response.done":
                if event["type"] == "session.created":
                    conversation = event["session"]["voice_kit"]["conversation"]
    return event["response"]["output"][0]["content"][0]["transcript"], conversation


answer, number = await ask(first, "Remember that my cat is called Miso.")
print(f"first gateway:  {answer}")
first.kill()
try:
    await ask(first, "What do you know about me?", number)
except OSError as error:
    print(f"first gateway:  {type(error).__name__}")
answer, _ = await ask(second, "What do you know about me?", number)
print(f"second gateway: {answer}")
print(
    f"({'They share a Redis' if redis else 'They share nothing: start Redis, and run this again'}.)"
)

# %% [markdown]
# What else belongs there? Who serves a conversation now, so that two windows do not both answer;
# and the counters of the limits, or whoever is refused by one gateway tries the next. Sound does
# not: it never leaves the process that holds the socket. And when Redis itself is gone for a while,
# people go on talking, and what they said is written down afterwards.

# %%
second.end()
empty.end()
if redis:
    redis.end()
folder.cleanup()
web.close()
print("Nothing runs any more.")

# %% [markdown]
# ## What it costs
#
# The package has a simulation of all this: people who ask, listen and think, engines with queues,
# gateways as they were measured. It looks for the fewest machines with which nobody waits long.
# Prices and graphics cards in it are assumptions, written down in one file; yours will differ. This
# takes about three seconds.

# %%
from voice_kit.workshop.sizing import need
from voice_kit.workshop.sizing_measured import loop_of
from voice_kit.workshop.sizing_world import figures

of = figures()
loop = loop_of(of)
needs = [
    need(of, kind, people, loop)
    for kind, people in (("cores", 100), ("cards", 100), ("cards", 1_000), ("cards", 100_000))
]
print(f"{'conversations':>14}{'gateways':>10}{'engines on':>16}{'silence':>9}{'a month':>13}")
for each in needs:
    units = f"{each.units:,} {each.kind}"
    silence = f"{np.percentile(each.seen.heard, 95):.1f} s"
    print(
        f"{each.conversations:>14,}{each.gateways:>10,}{units:>16}{silence:>9}"
        f"{round(each.euros, -2):>11,.0f} €"
    )

# %% [markdown]
# **Exercise.** What does an hour of conversation cost? A month has 30 days; machines are paid for
# day and night, and people talk by day.


# %% tags=["exercise"]
def price_of_an_hour(euros_a_month, at_once, busy):
    """Euros for one hour of one conversation.

    The machines cost `euros_a_month` and hold `at_once` conversations at the same time; `busy` is
    the share of the time, from 0 to 1, in which they do.
    """
    ### BEGIN SOLUTION
    return euros_a_month / (at_once * 30 * 24 * busy)
    ### END SOLUTION


# %% tags=["check"]
check(price_of_an_hour)

# %%
price = mine(price_of_an_hour, otherwise=lambda euros, many, busy: euros / many / (30 * 24) / busy)
busy = of["people"]["busy"]
prices = of["prices"]

WHAT = {"stt": "speech-to-text", "llm": "language model", "tts": "voice"}
parts = {
    name: [
        each.many[stage] * of["engines"][each.kind][stage]["takes"] * prices[each.kind]
        for each in needs
    ]
    for stage, name in WHAT.items()
}
engines = [sum(euros) for euros in zip(*parts.values(), strict=True)]
parts["all else"] = [each.euros - euro for each, euro in zip(needs, engines, strict=True)]

figure, axes = plt.subplots(figsize=(9, 3.4), layout="constrained")
bottom = np.zeros(len(needs))
for (name, euros), hatch in zip(parts.items(), ("//", "", "..", "xx"), strict=True):
    cents = [
        100 * price(value, each.conversations, busy)
        for value, each in zip(euros, needs, strict=True)
    ]
    axes.bar(range(len(needs)), cents, bottom=bottom, label=name, hatch=hatch, edgecolor="white")
    bottom += cents
for place, cents in enumerate(bottom):
    axes.annotate(f"{cents:.1f}", (place, cents), ha="center", va="bottom")
axes.set_xticks(
    range(len(needs)), [f"{each.conversations:,} at once\non {each.kind}" for each in needs]
)
axes.set(ylabel="cents an hour", ylim=(0, 1.15 * bottom.max()))
axes.legend(fontsize=8)
plt.show()

for place, each in enumerate(needs):
    shares = {name: euros[place] / each.euros for name, euros in parts.items()}
    print(
        f"{each.conversations:>8,} on {each.kind}: {bottom[place]:4.1f} cents for an hour;", end=" "
    )
    print(", ".join(f"{name} {share:.0%}" for name, share in shares.items()))

# %% [markdown]
# *All else* is the gateways, Redis, the traffic, and what of the last card nobody uses: with few
# people, that is much. Which of the assumptions would you check first, if it were your money?
# `voice-kit load` against your own gateway is where to begin.
#
# ## OPTIONAL: the field
#
# - **Kubernetes** starts and stops gateways by load; the files for it are in
#   `voice_kit/serve/deploy`, beside those for one rented server.
# - **vLLM, SGLang, TensorRT-LLM** serve a language model to many at once on a card, and speak
#   OpenAI's protocol: `--llm openai`. Triton does so for recognisers and voices.
# - **Queues** (Celery, Kafka, Redis Streams) are for work that nobody waits for. Here somebody
#   does: a call that fails at once is better than a message that lies somewhere.
# - **Rented by the minute** (OpenAI's Realtime, Deepgram, ElevenLabs): no machine of your own, and
#   nothing to pay at night. Compare their price for an hour with your own figure above.

# %% [markdown]
# ## Things to try
#
# - Four people at once, in a `crowd` of your own that keeps talking: when does the first give up?
# - `of["people"]["answer"] = 3`, before `need` is called: what do shorter answers save?
# - `Gateway("--workers", "2", *chosen).ready()`: is a crowd answered faster by two processes?

# %% [markdown]
# ## What you built
#
# A crowd that says what it feels, a law and two formulas for how much it takes, a call that
# survives its engine, and a conversation that survives its gateway. All that began with a single
# frame of 512 numbers.
#
# That was the last one. Go back to [the live loop](11_the_live_loop.ipynb) and make it yours.
