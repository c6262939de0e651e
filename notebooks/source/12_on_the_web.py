# %% [markdown]
# # On the web
#
# **You will build** the wire between a browser and your assistant: first by hand, then the gateway
# that a company could put its users on.
# **Needs** nothing but this notebook; a phone in the same network where you have one.
# **Time** 20 minutes.
#
# Microphone **→** hear → think → speak **→** loudspeaker: you are here, at the two arrows that
# become a network.

# %% tags=["parameters"]
LIVE = False  # True when you sit at a machine with a microphone
ENGINES = "offline"  # "best" takes the best engines that are here

# %% [markdown]
# ## A frame on the wire
#
# A conversation is sound, 31 frames a second, each way, for as long as it lasts. HTTP asks once and
# is answered once. A **WebSocket** stays open, and both sides send messages whenever they like:
# text, which is JSON here, or bytes.
#
# How many bytes is a second of speech?

# %%
import numpy as np

from voice_kit import FRAME, RATE
from voice_kit.audio import microphone
from voice_kit.sounds import clip

question = clip("question_latency")
sound = np.stack(list(microphone.frames(question.audio())))
print(f"“{question.text}”: {len(sound)} frames of {FRAME} samples, {question.seconds} s")
for name, size in (("float32", 4), ("int16", 2), ("int16 in base64", 2 * 4 / 3)):
    print(f"{name:<16}{RATE * size / 1000:5.0f} kB a second")

# %% [markdown]
# Nobody hears the difference between `float32` and `int16`. Base64 writes three bytes as four
# letters, because JSON cannot hold bytes; OpenAI's Realtime protocol does that. The gateway speaks
# both: base64 for programs that exist, bytes for its own page.
#
# A message of bytes needs a **header** that says what comes. Eight bytes are enough:
#
# | bytes | name | |
# |---|---|---|
# | 1 | kind | 1: sound from the microphone |
# | 1 | flags | 0: for later |
# | 2 | count | how many frames |
# | 4 | number | of the first frame, counted since the microphone opened |
#
# **Exercise.** Write that message: the header, then the samples as `int16`.

# %%
import struct

HEADER = struct.Struct("<BBHI")  # kind, flags, count, number; "<": the small byte first


# %% tags=["exercise"]
def frames_message(number, frames):
    """The bytes that carry these frames, shape (n, 512), float32 from -1 to 1.

    `number` is that of the first one. `HEADER.pack(kind, flags, count, number)` makes the header;
    on the wire a sample is "<i2", a whole number from -32768 to 32767.
    """
    ### BEGIN SOLUTION
    samples = np.clip(np.round(frames * 32767), -32768, 32767)
    return HEADER.pack(1, 0, len(frames), number) + samples.astype("<i2").tobytes()
    ### END SOLUTION


# %% tags=["check"]
from voice_kit.workshop.checks import check, hint, mine

check(frames_message)

# %%
message_of = mine(
    frames_message,
    otherwise=lambda number, frames: (
        HEADER.pack(1, 0, len(frames), number) + (frames * 32767).astype("<i2").tobytes()
    ),
)
one = message_of(41, sound[41:42])
print(f"frame 41 as a message: {len(one)} bytes, of which the header is {one[:8].hex(' ')}")

# %% [markdown]
# ## A server by hand
#
# Twenty lines: it listens on this machine, hears the frames of whoever connects, and tells them
# when they began and stopped to speak. Loudness decides, as in the second notebook. Time is counted
# in samples, so it does not matter how fast the frames come.

# %%
import asyncio
import json

import websockets

QUIET = 10  # frames of it end a turn


async def hear(socket):
    """Tell whoever is there when they speak, until they say that this is all."""
    heard, quiet, speaking = 0, QUIET, False
    async for message in socket:
        if isinstance(message, str):  # "that is all"
            await socket.send(json.dumps({"type": "heard", "at": heard * FRAME / RATE}))
            return
        _, _, count, _ = HEADER.unpack_from(message)
        samples = np.frombuffer(message, "<i2", offset=HEADER.size) / 32768
        for frame in samples.reshape(count, FRAME):
            heard += 1
            quiet = 0 if np.sqrt(np.mean(frame**2)) > 0.01 else quiet + 1
            if speaking != (quiet < QUIET):
                speaking = not speaking
                what = "speech_started" if speaking else "speech_stopped"
                await socket.send(json.dumps({"type": what, "at": heard * FRAME / RATE}))


server = await websockets.serve(hear, "127.0.0.1", 0)  # port 0: any that is free
port = server.sockets[0].getsockname()[1]
print(f"A server listens at ws://127.0.0.1:{port}")


# %%
async def tell(messages):
    """Send these messages, and give back every event that came."""
    async with websockets.connect(f"ws://127.0.0.1:{port}") as socket:
        for message in messages:
            await socket.send(message)
        await socket.send("that is all")
        return [json.loads(event) async for event in socket]


pause = np.zeros((62, FRAME), np.float32)  # two seconds
twice = np.concatenate([pause, sound, pause, sound, pause])
messages = [message_of(number, twice[number : number + 1]) for number in range(len(twice))]
whole = await tell(messages)
for event in whole:
    print(f"{event['at']:6.2f} s  {event['type']}")

# %% [markdown]
# ## What gets lost
#
# TCP loses nothing. But a page in the background is put to sleep, a phone changes its network,
# a queue that is full is emptied. Here a second of the pause is lost, and a
# little of the words after it.

# %%
lost = set(range(130, 161)) | {200, 201}
torn = await tell([each for number, each in enumerate(messages) if number not in lost])
for before, after in zip(whole, torn, strict=False):
    print(f"{before['type']:<15} at {before['at']:.2f} s, and with holes at {after['at']:.2f} s")

# %% [markdown]
# The server's clock runs late from there on: every later time is wrong, the wait for the end of a
# turn, what of an answer was heard, the whole timeline. But every message has its number.
#
# **Exercise.** Put silence where frames are missing.


# %% tags=["exercise"]
def without_holes(messages):
    """All frames in one array, shape (n, 512), with zeros for those that were lost.

    `messages` are pairs of a number and frames, shape (k, 512), in the order in which they came.
    Time begins with the first of them.
    """
    ### BEGIN SOLUTION
    due, pieces = messages[0][0], []
    for number, frames in messages:
        pieces += [np.zeros((number - due, FRAME), frames.dtype), frames]
        due = number + len(frames)
    return np.concatenate(pieces)
    ### END SOLUTION


# %% tags=["check"]
check(without_holes)


# %%
def filled(messages):
    """What stands in for yours until it passes."""
    first, (last, ends) = messages[0][0], messages[-1]
    everything = np.zeros((last + len(ends) - first, FRAME), np.float32)
    for number, frames in messages:
        everything[number - first :][: len(frames)] = frames
    return everything


mended = mine(without_holes, otherwise=filled)
came = [(number, twice[number : number + 1]) for number in range(len(twice)) if number not in lost]
again = mended(came)
print(f"{len(came)} frames came, {len(again)} are heard: {len(again) * FRAME / RATE:.2f} s")
for event in await tell([message_of(0, again)]):
    print(f"{event['at']:6.2f} s  {event['type']}")

# %% [markdown]
# The words in a hole are gone; the times are right again. The same numbers save most of the way:
# while nobody speaks, a page need not send its silence. It sends a header of kind 2, “so many
# frames of silence from this number on”, and no samples.

# %%
talking, minute = 12, 60  # seconds in which somebody speaks, of a minute
always = minute * RATE * 2
gated = talking * RATE * 2 + (minute - talking) * HEADER.size / 0.25
print(f"a minute of sound: {always / 1e6:.2f} MB; with a silence gate: {gated / 1e6:.2f} MB")

# %%
server.close()
await server.wait_closed()

# %% [markdown]
# ## Who may come in
#
# A WebSocket is not held by the rule that keeps web pages apart: **any page** that you have open
# may connect to any server that your browser can reach, also to one that listens on your own
# machine only. What the browser adds is an honest header: `Origin`, where the page is from.
#
# **Exercise.** May it come in? The host is what the browser calls us: a name and, mostly, a port.

# %%
from urllib.parse import urlsplit


# %% tags=["exercise"]
def may_come_in(origin, host):
    """Whether a page of this origin, "https://talk.example.org", may connect to this host.

    Only our own page may: one of the same host, with the same port. `origin` is None for programs
    that are no browsers: they may (and have to show a token like everybody), since no page can
    trick them. `urlsplit` takes an address apart.
    """
    ### BEGIN SOLUTION
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()
    ### END SOLUTION


# %% tags=["check"]
check(may_come_in)


# %%
def same(origin, host):
    """What stands in for yours until it passes."""
    return origin is None or origin.lower().split("://")[-1] == host.lower()


enters = mine(may_come_in, otherwise=same)
for origin in ("http://127.0.0.1:8765", "https://evil.example", "http://127.0.0.1:8888"):
    print(f"{origin:<24} {'may come in' if enters(origin, '127.0.0.1:8765') else 'stays out'}")

# %% [markdown]
# Beside that everybody shows a **token**. On your machine it is a random one, in the address that
# is printed, as Jupyter does it; a company gives out signed ones that expire (`voice-kit token`).
#
# ## The gateway
#
# ![Browsers, phones and programs each hold a socket to the gateway; each is one conversation, and
# all share the engines](../figures/gateway.svg)
#
# `voice-kit serve` is your server grown up: a socket is one conversation, with a memory of its own;
# the engines are shared. Here it is started as a program beside this notebook, on a free port.
# This takes about five seconds: it loads its engines before it lets anybody in.

# %%
from voice_kit.workshop.gateways import Gateway

OFFLINE = ("--stt", "sphinx", "--llm", "handbook", "--tts", "espeak")
kit = Gateway(*(OFFLINE if ENGINES != "best" else ())).ready()
print(f"The gateway is ready. Its page is {kit.address}, its socket {kit.socket}")
print(f"Whoever comes in shows a token of {len(kit.token)} letters.")
if LIVE:
    print(f"Open it in your browser: {kit.url}")

# %% [markdown]
# ## A question over the wire
#
# A client by hand: one half sends a frame every 32 milliseconds, as a microphone would, and silence
# afterwards; the other half writes down what comes, and when. Your messages are understood, because
# the header is the gateway's own. This takes about four seconds: it is spoken in real time.

# %%
import base64
import time


async def speak(socket, began):
    """Ask the question in real time, then be quiet until somebody ends this."""
    quiet = np.zeros((1, FRAME), np.float32)
    for number in range(10_000):
        await asyncio.sleep(began + (number + 1) * FRAME / RATE - time.perf_counter())
        now = sound[number : number + 1] if number < len(sound) else quiet
        await socket.send(message_of(number, now))


async def until(socket, last, began=0.0):
    """Every event up to the first of type `last`, each with the seconds since `began`."""
    events = []
    async with asyncio.timeout(60):
        async for text in socket:
            events.append((time.perf_counter() - began, json.loads(text)))
            if events[-1][1]["type"] == last:
                return events
    raise ConnectionError(f"The gateway hung up before {last}.")


async with websockets.connect(kit.socket, additional_headers=kit.headers) as socket:
    began = time.perf_counter()
    speaking = asyncio.create_task(speak(socket, began))
    try:
        events = await until(socket, "response.done", began)
    finally:
        speaking.cancel()

sounded = [at for at, event in events if event["type"] == "response.output_audio.delta"]
for at, event in events:
    if event["type"] != "response.output_audio.delta" or at == sounded[0]:
        about = event.get("transcript") or event.get("delta", "")
        about = "(sound)" if at == sounded[0] else about
        print(f"{at:6.2f} s  {event['type']:<56}{about[:40]}")

# %% [markdown]
# These are the events of OpenAI's Realtime API: a program that was written for it connects
# unmodified. `session.created` came first, with the number of the conversation in it; then what was
# heard, then the answer, its words and its sound, as soon as each was there.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt

kinds = list(dict.fromkeys(event["type"] for _, event in events))
figure, axes = plt.subplots(figsize=(9, 4.6), layout="constrained")
axes.barh(len(kinds), question.seconds, color="C1", height=0.6)
for row, kind in enumerate(reversed(kinds)):
    times = [at for at, event in events if event["type"] == kind]
    axes.plot(times, [row] * len(times), "|", markersize=10, markeredgewidth=2, color="C0")
axes.axvline(question.seconds, color="grey", linestyle=":")
axes.set_yticks(range(len(kinds) + 1), [*reversed(kinds), "you speak"], fontsize=8)
axes.set(xlabel="seconds since the first frame", xlim=0)
plt.show()

answer = b"".join(
    base64.b64decode(event["delta"])
    for _, event in events
    if event["type"] == "response.output_audio.delta"
)
print(f"You spoke until {question.seconds:.2f} s; the first sound came at {sounded[0]:.2f} s.")
print(
    f"After {events[-1][0]:.2f} s all was sent: {len(answer) / 48_000:.1f} s of speech at 24 kHz."
)

# %% [markdown]
# The last line is worth a thought. The answer is *sent* long before it has been *heard*: how does
# memory hold only what was heard? The page acknowledges what its loudspeaker has played; for other
# programs it is counted in real time from the sending.

# %%
from voice_kit import Audio

Audio(np.frombuffer(answer, "<i2").astype(np.float32) / 32768, 24_000)

# %% [markdown]
# ## One question, one request
#
# Not everything needs a socket. `POST /v1/turn` takes a sound and answers with one; the words and
# times are in the headers. In a terminal that is
# `curl --data-binary @question.wav -H "Authorization: Bearer …" http://…/v1/turn | aplay`.

# %%
from urllib.parse import unquote

import httpx

web = httpx.AsyncClient(base_url=kit.address, timeout=60, trust_env=False)
spoken = await web.post("/v1/turn", content=question.path.read_bytes(), headers=kit.headers)
print(f"{spoken.status_code}, {spoken.headers['content-type']}, {len(spoken.content):,} bytes")
print(f"heard: “{unquote(spoken.headers['voice-kit-transcript'])}”")
print(f"times: {spoken.headers['server-timing']}")

# %% [markdown]
# ## Who stays out
#
# A wrong token, no token, and the right token from a page of somebody else. On HTTP the answer is
# a status, on the socket an event, and then the number with which it is closed.

# %%
wrong = await web.get("/v1/conversations", headers={"Authorization": "Bearer a-guess"})
print(f"HTTP: {wrong.status_code}, {wrong.json()['error']['message']}")


async def told(headers):
    """Why the socket does not want us, and the number it is closed with."""
    async with websockets.connect(kit.socket, additional_headers=headers) as socket:
        error = json.loads(await socket.recv())["error"]
        await socket.wait_closed()
        return f"{socket.close_code}, {error['message']}"


print(f"socket, wrong token: {await told({'Authorization': 'Bearer a-guess'})}")
print(f"socket, another page: {await told(kit.headers | {'Origin': 'https://evil.example'})}")

# %% [markdown]
# ## It knows you again
#
# A line breaks, a phone is put away. Who connects again with the number of the conversation goes on
# where it ended; who connects without one begins anew, and hears nothing of the others.


# %%
async def ask(socket, text):
    """The answer to a typed line."""
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
    await socket.send(json.dumps({"type": "response.create"}))
    done = (await until(socket, "response.done"))[-1][1]
    return done["response"]["output"][0]["content"][0]["transcript"]


def connect(conversation=""):
    """A socket to the gateway: for a new conversation, or for one that there was."""
    address = f"{kit.socket}?conversation={conversation}" if conversation else kit.socket
    return websockets.connect(address, additional_headers=kit.headers)


async with connect() as first:
    created = (await until(first, "session.created"))[-1][1]
    number = created["session"]["voice_kit"]["conversation"]
    print(f"first:  {await ask(first, 'Remember that my cat is called Miso.')}")

async with connect(number) as once_more, connect() as second:
    print(f"again:  {await ask(once_more, 'What do you know about me?')}")
    print(f"second: {await ask(second, 'What do you know about me?')}")

# %%
listed = (await web.get("/v1/conversations", headers=kit.headers)).json()["data"]
print(*[f"{each['title'] or '(nothing said)'}" for each in listed], sep="\n")

# %% [markdown]
# ## The page
#
# At the address itself is a page: the widgets of the notebooks before, without Jupyter. It may load
# nothing from anywhere else and run no script but its own; the browser holds it to that, because
# a header says so.

# %%
page = await web.get("/", headers=kit.headers)
print(f"{page.status_code}, {len(page.text):,} letters of HTML")
print(*page.headers["content-security-policy"].split("; "), sep="\n")

# %% [markdown]
# ## A phone as microphone
#
# Browsers give a microphone only to pages of your own machine, and to https. `voice-kit serve
# --lan` makes a certificate for your address in this network, and prints that address as a QR code:
# scan it, agree to the certificate (compare its fingerprint), and talk. The phone hears and speaks;
# all the work is done here. Live, it is shown below; in a room with forty phones, it is how
# a laptop without a microphone gets one.

# %%
if LIVE:
    import segno
    from IPython.display import HTML, display

    phone = Gateway("--lan", *(OFFLINE if ENGINES != "best" else ())).ready()
    print(phone.url, phone.fingerprint, sep="\n")
    display(HTML(segno.make(phone.url).svg_inline(scale=5, light="white")))
else:
    print("Not live. In a terminal: voice-kit serve --lan")

# %% [markdown]
# ## Stop
#
# The gateway ends with this notebook, also when the kernel is restarted. Live it stays, for you to
# try the page; `kit.end()` ends it, and `phone.end()` the one for phones.

# %%
await web.aclose()
if not LIVE:
    kit.end()
print(f"The gateway is {'still there' if kit.running else 'gone'}.")

# %% [markdown]
# ## OPTIONAL: the field
#
# - **WebRTC** (LiveKit, Daily, FastRTC): sound over UDP, where a lost packet is left out and
#   nothing waits for it. Better on bad mobile networks; it needs servers that help both sides to
#   find each other.
# - **Opus**: a tenth of the bytes. Worth it where traffic is dear: see the next notebook.
# - **Telephones** (SIP, Twilio's Media Streams): the same socket, with 8 kHz and another header.
# - **The `openai` client**: `AsyncOpenAI(api_key=kit.token, websocket_base_url=f"ws://…/v1")`, then
#   `client.realtime.connect(model="voice-kit")`.

# %% [markdown]
# ## Things to try
#
# - Begin again with `LIVE = True`, and open `/docs` at the gateway's address: HTTP and socket,
#   described.
# - Open the page in two tabs, and the same conversation in both. Which of them goes on?
# - Send `message_of` the same number again and again. What does the gateway do with frames that it
#   has heard already?
# - Interrupt: send the question a second time while the answer is being sent.

# %% [markdown]
# ## What you built
#
# A wire that keeps time though it loses frames, a door that only your own page passes, and a client
# that talks with a gateway as any other program would. The conversation behind it is the one that
# you know: it never learned where its sound comes from.
#
# How many people fit behind one such door, and what do they cost? Next:
# [For a thousand people](13_for_a_thousand_people.ipynb)
