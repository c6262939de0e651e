"""Conversations that a gateway keeps, for those who run it, and how their people know."""

import asyncio
import errno
import logging
import os
import re
import stat
import threading
from dataclasses import dataclass
from types import SimpleNamespace

import httpx
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")

import websockets
from helpers_recording import nobody
from helpers_serve import (
    Loudness,
    Parrot,
    Tone,
    command,
    say,
    served,
    sound_message,
    stubs,
    until,
)

from voice_kit.audio.files import to_wav
from voice_kit.audio.formats import to_int16
from voice_kit.audio.microphone import FileMicrophone
from voice_kit.converse import recording as files
from voice_kit.converse.differs import difference
from voice_kit.converse.recorded import read_recording
from voice_kit.converse.replay import replay
from voice_kit.errors import VoiceKitError
from voice_kit.serve import part as one_part
from voice_kit.serve import recordings
from voice_kit.serve.part import Part, Unrecorded
from voice_kit.serve.protocol import pcm_delta
from voice_kit.serve.recordings import Recordings
from voice_kit.types import RATE, Audio, Interrupted, Speech, Transcribed, Transcript
from voice_kit.workshop.load_caller import Loudspeaker

SECRET = "pancreas"
"""A word that is said, and stands in no log."""
STORY = " ".join(f"word{number}" for number in range(60)) + "."
"""Three seconds of sound."""


@dataclass
class Told(Loudness):
    """Hears a word beside the loudness."""

    async def transcribe(self, audio):
        heard = await super().transcribe(audio)
        return Transcript(f"{heard.text} {SECRET}")


class Person:
    """At the other end of a socket, with a microphone and a loudspeaker, as the page is."""

    def __init__(self, socket):
        self._socket, self._sent, self._loudspeaker = socket, 0, Loudspeaker()
        self._now = asyncio.get_running_loop().time

    async def meet(self, wishes):
        self.created = (await until(self._socket, "session.created"))["session"]
        self.conversation = self.created["voice_kit"]["conversation"]
        await self.say(type="session.update", session=wishes)
        self.updated = (await until(self._socket, "session.updated"))["session"]

    async def say(self, **message):
        await say(self._socket, **message)

    async def hears(self, kind):
        """The next message of this kind; what is spoken until then goes on being heard."""
        while True:
            message = await self._socket.recv()
            if isinstance(message, bytes):
                self._loudspeaker.take(message, self._now())
            elif f'"{kind}"' in message:
                return

    async def speaks(self, *sounds):
        """Levels and their seconds, as they are spoken; it says what it hears meanwhile."""
        levels = np.concatenate([np.full(round(RATE * for_), level) for level, for_ in sounds])
        async for frame in FileMicrophone(Audio(levels.astype(np.float32), RATE)):
            await self._socket.send(sound_message(self._sent, [to_int16(frame)]))
            self._sent += 1
            if self._sent % 2 and (report := self._loudspeaker.report(self._now())):
                await self._socket.send(report)

    async def asks(self, level):
        """A question, and its answer to the end."""
        await self.while_speaking("response.done", (level, 0.5), (0.0, 1.5))

    async def types(self, text):
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.say(type="conversation.item.create", item=item)
        await self.say(type="response.create")
        await self.while_speaking("response.done", (0.0, 1.0))

    async def while_speaking(self, kind, *sounds):
        async with asyncio.TaskGroup() as both:
            both.create_task(self.hears(kind))
            both.create_task(self.speaks(*sounds))


async def hold(address, *does, conversation="", wishes=None):
    """A conversation in which a `Person` does this, one after the other; gives the person."""
    asked = f"{address.realtime}&conversation={conversation}"
    async with asyncio.timeout(60), websockets.connect(asked, max_queue=None) as socket:
        person = Person(socket)
        await person.meet(wishes or {"voice_kit": {"binary": True}})
        for do in does:
            await do(person)
    return person


def asks(level):
    return lambda person: person.asks(level)


def types(text):
    return lambda person: person.types(text)


def parts(folder):
    """The recordings in it, oldest first: by conversation, then by part."""
    return sorted(path.parent for path in folder.glob("*/*/tape.jsonl"))


def kind(event):
    return type(event).__name__


def same(before, within=0.15):
    """What differs in a replay with nothing changed, in which no engine may be asked."""
    now = replay(before, make=nobody).events
    # A live voice goes on while its answer begins to be heard: either may be first.
    return difference(sorted(before.events, key=kind), sorted(now, key=kind), within)


# What is kept


def test_a_recorded_conversation_replays_to_the_same_with_nothing_changed(tmp_path):
    with served(record=str(tmp_path)) as address:
        asyncio.run(hold(address, asks(0.1), types("and typed"), asks(0.2)))
    (folder,) = parts(tmp_path)
    before = read_recording(folder)
    assert [turn.times.heard for turn in before.turns] == [
        "question 10",
        "and typed",
        "question 20",
    ]
    assert [turn.times.said for turn in before.turns] == [
        "You said question 10.",
        "You said and typed.",
        "You said question 20.",
    ]
    assert same(before) == ""
    assert before.speaker == "voice_kit.serve.socket_speaker"
    assert np.abs(before.samples).max() == pytest.approx(0.2, abs=0.01)
    engines = {"llm": Parrot("Something else."), "tts": Tone()}
    other = replay(before, engines=engines, make=nobody)
    assert [turn.times.said for turn in other.turns] == ["Something else."] * 3


def test_a_client_that_cuts_its_turns_itself_is_replayed_too(tmp_path):
    def commits(level):
        """And goes on as soon as it is answered, which is an interruption."""

        async def do(person):
            await person.say(type="input_audio_buffer.append", audio=sound(level))
            await person.say(type="input_audio_buffer.commit")
            await person.say(type="response.create")
            await person.hears("response.output_audio.delta")

        return do

    def told(events):
        words = [event.transcript.text for event in events if isinstance(event, Transcribed)]
        return words, [event.turn for event in events if isinstance(event, Interrupted)]

    by_hand = {"audio": {"input": {"turn_detection": None}}}
    with served(stubs(llm=Parrot(STORY)), record=str(tmp_path)) as address:
        asyncio.run(hold(address, commits(0.1), commits(0.2), wishes=by_hand))
    before = read_recording(parts(tmp_path)[0])
    assert told(before.events) == (["question 10", "question 20"], [1])
    assert told(replay(before, make=nobody).events) == told(before.events)
    again = [turn.again(make=nobody).turns[0].times.heard for turn in before.turns]
    assert again == ["question 10", "question 20"]


def sound(level):
    """Half a second of it, as OpenAI's clients send it."""
    return pcm_delta(np.full(12_000, round(level * 32767), np.int16))


def test_what_a_client_throws_away_is_thrown_away_in_a_replay(tmp_path):
    async def clears(person):
        await person.speaks((0.1, 0.5))
        await person.say(type="input_audio_buffer.clear")
        await person.hears("input_audio_buffer.cleared")

    with served(record=str(tmp_path)) as address:
        asyncio.run(hold(address, clears, asks(0.2)))
    before = read_recording(parts(tmp_path)[0])
    assert [turn.times.heard for turn in before.turns] == ["question 20"]
    assert same(before) == ""


def test_another_voice_speaks_in_the_replay_from_where_it_spoke(tmp_path, monkeypatch):

    def made(stage, spec, settings):
        return Tone(name=spec, word=0.08)

    monkeypatch.setattr("voice_kit.serve.voices.make", made)

    async def changes(person):
        await person.say(type="session.update", session={"audio": {"output": {"voice": "deeper"}}})
        await person.hears("session.updated")

    with served(record=str(tmp_path)) as address:
        asyncio.run(hold(address, asks(0.1), changes, asks(0.2)))
    before = read_recording(parts(tmp_path)[0])
    assert len(before.turns) == 2
    assert same(before) == ""


def test_another_model_is_shown_the_lines_that_a_client_has_only_written(tmp_path):
    async def writes(person):
        content = [{"type": "input_text", "text": "Your name is Bob."}]
        item = {"type": "message", "role": "user", "content": content}
        await person.say(type="conversation.item.create", item=item)

    with served(record=str(tmp_path)) as address:
        asyncio.run(hold(address, writes, types("hello")))
    model = Parrot("I am Bob.")
    before = read_recording(parts(tmp_path)[0])
    replay(before, engines={"llm": model, "tts": Tone()}, make=nobody)
    assert ("user", "Your name is Bob.") in model.prompts[-1]


def test_an_interruption_is_replayed(tmp_path):
    async def breaks_in(person):
        sounds = (0.1, 0.5), (0.0, 1.0), (0.2, 1.0), (0.0, 0.5)
        await person.while_speaking("response.done", *sounds)

    with served(stubs(llm=Parrot(STORY)), record=str(tmp_path)) as address:
        asyncio.run(hold(address, breaks_in))
    before = read_recording(parts(tmp_path)[0])
    assert any(isinstance(event, Interrupted) for event in before.events)
    now = replay(before, make=nobody).events
    assert any(isinstance(event, Interrupted) for event in now)


def test_each_conversation_has_a_folder_whose_name_tells_nothing_and_each_connection_a_part(
    tmp_path,
):
    async def scene(address):
        first = await hold(address, types("one"))
        await hold(address, types("two"), conversation=first.conversation)
        await hold(address, types("other"))
        return first.conversation

    with served(record=str(tmp_path)) as address:
        name = asyncio.run(scene(address))
    found = parts(tmp_path)
    whole = {path.parent for path in found}
    assert len(found) == 3 and len(whole) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", path.name) for path in whole)
    assert not any(name in str(path) for path in found)
    (twice,) = [path for path in whole if len(list(path.iterdir())) == 2]
    assert sorted(path.name for path in twice.iterdir()) == ["001", "002"]
    again = read_recording(twice / "002")
    assert [line.content for line in again.history] == ["one", "You said one."]
    assert [turn.times.heard for turn in again.turns] == ["two"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_only_who_runs_the_gateway_can_read_it(tmp_path):
    old = os.umask(0)
    try:
        with served(record=str(tmp_path / "kept")) as address:
            asyncio.run(hold(address, asks(0.1)))
    finally:
        os.umask(old)
    every = [tmp_path / "kept", *(tmp_path / "kept").rglob("*")]
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in every}
    assert modes == {True: 0o700, False: 0o600}
    assert sum(path.is_file() for path in every) >= 4
    for path in every:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_nothing_is_kept_unless_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with served() as address:
        person = asyncio.run(hold(address, asks(0.1)))
        assert address.shared.recordings is None
    assert person.created["voice_kit"]["recorded"] is False
    assert not list(tmp_path.rglob("*.wav"))


def test_a_deleted_conversation_leaves_no_recording(tmp_path):
    async def scene(address):
        person = await hold(address, types("forget me"))
        await hold(address, types("stay"))
        at = f"{address}/v1/conversations/{person.conversation}"
        async with httpx.AsyncClient(headers=address.headers) as client:
            return (await client.delete(at)).status_code

    with served(record=str(tmp_path)) as address:
        assert asyncio.run(scene(address)) == 200
    (left,) = parts(tmp_path)
    assert [turn.times.heard for turn in read_recording(left).turns] == ["stay"]
    assert not any("forget me" in path.read_text() for path in tmp_path.rglob("*.jsonl"))


def test_a_deleted_recording_is_removed_once_nothing_more_of_it_is_being_written(
    tmp_path, monkeypatch
):
    failed, whole = [], []
    kept = Recordings(tmp_path, lambda: failed.append(1), every=0.001)
    part = kept.begin("one")
    opened, forgetting = (
        list(part._files.values()),
        threading.Thread(target=kept.forget, args=["one"]),
    )
    new_file, rmtree = files.new_file, recordings.shutil.rmtree

    def slowly(path):
        """The thread that writes is here when the conversation is deleted."""
        forgetting.start()
        while not part.problem:
            pass
        return new_file(path)

    def removed(folder):
        whole.append(all(file.closed for file in opened))
        rmtree(folder)

    monkeypatch.setattr(files, "new_file", slowly)
    monkeypatch.setattr(recordings.shutil, "rmtree", removed)
    part.put_sound(Speech("", Audio(np.zeros(160, np.float32), RATE)))
    while not forgetting.ident:
        pass
    forgetting.join()
    assert whole == [True] and not list(tmp_path.iterdir())
    assert not failed
    kept.close()


def test_a_recording_that_cannot_be_removed_is_not_said_to_be_deleted(tmp_path, monkeypatch):
    def kept_by_the_disk(folder, *_, **ignoring):
        if not ignoring:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    async def scene(address):
        person = await hold(address, types("forget me"))
        at = f"{address}/v1/conversations/{person.conversation}"
        async with httpx.AsyncClient(headers=address.headers) as client:
            with monkeypatch.context() as held:
                held.setattr(recordings.shutil, "rmtree", kept_by_the_disk)
                refused = await client.delete(at)
            return refused, (await client.delete(at)).status_code

    with served(record=str(tmp_path)) as address:
        refused, again = asyncio.run(scene(address))
    assert refused.status_code == 503 and "again" in refused.json()["error"]["message"]
    assert again == 200 and not parts(tmp_path)


# Who knows


def test_people_are_told_before_they_speak_and_the_log_holds_none_of_it(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with served(stubs(stt=Told()), record=str(tmp_path)) as address:
        person = asyncio.run(hold(address, asks(0.1)))
    assert person.created["voice_kit"]["recorded"] is True
    assert person.updated["voice_kit"]["recorded"] is True
    kept = parts(tmp_path)[0]
    assert SECRET in (kept / files.EVENTS).read_text()
    written = "\n".join(record.getMessage() for record in caplog.records)
    assert SECRET not in written


def come(true):
    """Wait until it is."""
    while not true():
        pass


def test_people_are_told_of_what_was_kept_even_if_the_disk_takes_no_more_of_it(
    tmp_path, monkeypatch
):
    def written():
        return SECRET in (parts(tmp_path)[0] / files.EVENTS).read_text()

    async def stops(person):
        await asyncio.to_thread(come, written)
        monkeypatch.setattr(files, "write_all", full)
        await person.types("more")
        await asyncio.to_thread(come, lambda: failures(address))
        await person.say(type="session.update", session={})
        person.updated = (await until(person._socket, "session.updated"))["session"]

    with served(record=str(tmp_path)) as address:
        person = asyncio.run(hold(address, types(SECRET), stops))
    assert person.updated["voice_kit"]["recorded"] is True


def test_the_command_says_that_it_records_and_refuses_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    process = command("--record", str(tmp_path / "taken"), home=tmp_path)
    said, why = process.communicate(timeout=60)
    assert process.returncode == 1 and not said
    assert "Nothing can be recorded in" in why and "--record" in why


# Disks


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def failures(address):
    text = address.shared.metrics.text().decode()
    (found,) = re.findall(r'voice_kit_failures_total\{stage="recording"\} (\S+)', text)
    return float(found)


@pytest.mark.parametrize("breaks", ["begin", "write"])
def test_a_full_disk_ends_the_recording_and_no_conversation(tmp_path, monkeypatch, caplog, breaks):
    with served(record=str(tmp_path)) as address:
        assert failures(address) == 0
        if breaks == "begin":
            monkeypatch.setattr(recordings.Path, "mkdir", full)
        else:
            monkeypatch.setattr(files, "write_all", full)
        for _ in range(3):
            person = asyncio.run(hold(address, types("hello"), types("are you there")))
        assert person.created["voice_kit"]["recorded"] is (breaks == "write")
    assert failures(address) == 3
    told = [each.getMessage() for each in caplog.records if "not recorded" in each.getMessage()]
    assert len(told) == 1 and os.strerror(errno.ENOSPC) in told[0]


def test_a_disk_that_hangs_keeps_nobody_out_and_no_gateway_from_its_end(tmp_path, monkeypatch):
    hanging, mkdir = threading.Event(), recordings.Path.mkdir

    def hangs(self, *arguments, **named):
        if tmp_path in self.parents:
            hanging.wait()
        return mkdir(self, *arguments, **named)

    async def crowd(address):
        people = await asyncio.gather(*(hold(address) for _ in range(40)))
        async with httpx.AsyncClient(headers=address.headers) as client:
            written = await client.post(
                f"{address}/v1/audio/transcriptions",
                files={"file": ("a.wav", to_wav(Audio(np.full(RATE, 0.1, np.float32), RATE)))},
                data={"model": "any"},
            )
        return [person.created["voice_kit"]["recorded"] for person in people], written

    monkeypatch.setattr(recordings, "BEGINS", 0.01)
    with served(record=str(tmp_path)) as address:
        kept = address.shared.recordings
        monkeypatch.setattr(recordings.Path, "mkdir", hangs)
        recorded, written = asyncio.run(crowd(address))
        assert failures(address) == 40
    assert recorded == [False] * 40 and written.status_code == 200
    hanging.set()
    while isinstance(part := kept.begin("one"), Unrecorded):  # what hung is under way
        pass
    part.close()


def test_a_part_that_was_begun_too_late_is_closed(tmp_path, monkeypatch):
    hanging, mkdir = threading.Event(), recordings.Path.mkdir
    monkeypatch.setattr(recordings, "BEGINS", 0.01)
    kept, made = Recordings(tmp_path, every=0.001), []

    def late(*arguments):
        made.append(Part(*arguments))
        return made[0]

    def hangs(self, *arguments, **named):
        hanging.wait()
        return mkdir(self, *arguments, **named)

    monkeypatch.setattr(recordings, "Part", late)
    monkeypatch.setattr(recordings.Path, "mkdir", hangs)
    assert not kept.begin("one").recorded
    hanging.set()
    while not made:
        pass
    assert made[0].closed.wait(60)
    kept.close()


def test_deleting_waits_no_longer_for_a_disk_that_hangs(tmp_path, monkeypatch):
    hanging = threading.Event()
    monkeypatch.setattr(recordings, "REMOVES", 0.01)
    monkeypatch.setattr(recordings.shutil, "rmtree", lambda *_, **__: hanging.wait())
    kept = Recordings(tmp_path)
    (tmp_path / "one").mkdir()
    for _ in range(2):
        with pytest.raises(TimeoutError, match="too slow"):
            kept.forget("one")
    (tmp_path / "one").rmdir()
    hanging.set()


def test_nobody_waits_for_a_disk_that_hangs_and_what_waits_for_it_is_bounded(tmp_path, monkeypatch):
    told = []
    part = Part(tmp_path / "part", told.append)
    monkeypatch.setattr(one_part, "MOST", 10_000)
    while not part.problem:  # nobody writes
        part.put({"line": "x" * 1_000})
    assert "too slow" in told[0] and not part._waiting
    part.put({"line": "x"})
    assert not part._waiting
    assert not part.write()


def test_two_long_turns_at_once_are_kept_by_a_disk_that_is_well(tmp_path):
    part = Part(tmp_path / "part", lambda problem: None)
    for _ in range(2):
        part.put_sound(Speech("", Audio(np.zeros(65 * RATE, np.float32), RATE)))
    assert not part.problem


def test_a_disk_that_takes_nothing_for_too_long_is_too_slow(tmp_path, monkeypatch):
    part = Part(tmp_path / "part", lambda problem: None)
    now = recordings.time.monotonic()
    monkeypatch.setattr(one_part.time, "monotonic", lambda: now + one_part.LATE / 2)
    part.put({"line": 1})
    assert not part.problem
    monkeypatch.setattr(one_part.time, "monotonic", lambda: now + 2 * one_part.LATE)
    part.put({"line": 2})
    assert "too slow" in part.problem


def test_what_those_who_left_have_waiting_for_a_disk_is_bounded_too(tmp_path, monkeypatch):
    failed = []
    kept = Recordings(tmp_path, lambda: failed.append(1), every=1e6)  # nobody writes
    monkeypatch.setattr(recordings, "MOST", 10_000)
    for number in range(20):
        part = kept.begin(f"talk {number}")
        if part.recorded:
            part.put({"line": "x" * 3_000})
        part.close()
    assert sum(part.size for part in kept._parts) < 15_000
    assert len(failed) == 20 - len(kept._parts)
    kept.close()


def test_a_disk_that_is_nearly_full_is_left_to_the_rest(tmp_path, monkeypatch):
    told, free = [], recordings.SPARE
    monkeypatch.setattr(recordings, "LOOK", 0.0)
    monkeypatch.setattr(recordings.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    kept = Recordings(tmp_path, lambda: told.append(1), every=0.001)
    part = kept.begin("one")
    part.put_sound(Speech("", Audio(np.zeros(RATE, np.float32), RATE)))
    free -= 1
    assert part.closed.wait(60)
    assert "1 GB of the disk" in part.problem and part.recorded
    assert not kept.begin("two").recorded and not (tmp_path / "two").exists()
    free += 1
    assert kept.begin("two").recorded
    assert len(told) == 2
    kept.close()


def test_a_connection_in_which_nobody_speaks_leaves_no_part(tmp_path):
    with served(record=str(tmp_path)) as address:
        asyncio.run(hold(address))
        asyncio.run(hold(address, types("one")))
    (only,) = parts(tmp_path)
    assert [turn.times.heard for turn in read_recording(only).turns] == ["one"]
    assert len(list((tmp_path).iterdir())) == 1


def test_what_is_kept_is_on_the_disk_while_the_conversation_goes_on(tmp_path):
    kept = Recordings(tmp_path, every=0.001)
    part = kept.begin("one")
    part.put({"said": "hello"})
    while b"hello" not in (part.folder / files.TAPE).read_bytes():
        pass
    kept.close()


def test_two_gateways_that_share_a_folder_take_parts_of_their_own(tmp_path):
    one, other = Recordings(tmp_path), Recordings(tmp_path)
    begun = [each.begin("talk").folder.name for each in (one, other, one)]
    assert begun == ["001", "002", "003"]
    one.close()
    other.close()


def test_a_folder_that_cannot_be_made_is_told_with_the_fix(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(VoiceKitError, match="Choose another"):
        Recordings(tmp_path / "file")
