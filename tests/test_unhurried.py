"""What is only looked at waits for what is heard, and a kernel that is sent a lot is calm."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

pytest.importorskip("anywidget", reason="no anywidget in this Python: run make test")

import traitlets

from voice_kit.converse.virtual import run
from voice_kit.show.trickle import MOST, SOON, Trickle
from voice_kit.show.unannounced import unannounced
from voice_kit.show.unhurried import Unhurried


class Looked(Unhurried):
    """A widget of which one sees two things, and what was sent of it."""

    _esm = "export default {}"
    state = traitlets.Unicode("calm").tag(sync=True)
    count = traitlets.Int(0).tag(sync=True)

    def __init__(self, **more):
        self.told = []
        super().__init__(**more)

    def _send(self, msg, buffers=None):
        self.told.append(msg["state"])


def test_many_changes_at_once_are_told_once_and_last():
    async def scene():
        looked, heard = Looked(), []
        for count in range(1, 4):
            looked.count = count
        looked.state = "loud"
        assert (looked.count, looked.told) == (3, [])
        heard.append(len(looked.told))  # what is to be heard goes now
        await asyncio.sleep(SOON)
        assert looked.told == [{"state": "loud", "count": 3}]
        return heard

    assert run(scene(), fast=True) == [0]


def test_what_changes_all_the_time_is_told_ten_times_a_second_and_in_the_end():
    async def scene():
        looked = Looked()
        for count in range(1, 1001):
            looked.count = count
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.2)
        return looked.told

    told = run(scene(), fast=True)
    assert 2 * MOST - 2 <= len(told) <= 2 * MOST + 2
    assert told[-1] == {"count": 1000}


def test_without_an_event_loop_each_change_is_told_at_once():
    looked = Looked()
    looked.state = "loud"
    beside = threading.Thread(target=lambda: setattr(looked, "count", 1))
    beside.start()
    beside.join()
    assert looked.told == [{"state": "loud"}, {"count": 1}]


def test_a_page_that_asks_for_all_gets_it_at_once():
    async def scene():
        looked = Looked()
        looked.count = 1
        looked.send_state()
        assert looked.told[0]["count"] == 1

    run(scene(), fast=True)


def test_a_loop_that_was_closed_does_not_keep_the_next_one_waiting():
    sent = []
    trickle = Trickle(lambda: sent.append(1))

    async def once(wait):
        trickle()
        await asyncio.sleep(wait)

    asyncio.run(once(0))
    assert not sent
    run(once(1), fast=True)
    assert sent == [1]


class Kernel:
    """As ipykernel's says what it does."""

    def __init__(self):
        self.said, self.parent = [], {}

    def get_parent(self, channel):
        return self.parent

    def _publish_status(self, status, channel, parent=None):
        self.said.append(status)

    def read(self, message):
        self.parent = message
        self._publish_status("busy", "shell")
        self._publish_status("idle", "shell")
        said, self.said = self.said, []
        return said


def asked(comm):
    return {"msg_type": "comm_msg", "content": {"comm_id": comm, "data": {}}}


def test_a_kernel_says_busy_for_all_but_the_streams():
    kernel = Kernel()
    for name in ("microphone", "loudspeaker"):
        unannounced(SimpleNamespace(comm=SimpleNamespace(kernel=kernel, comm_id=name)))
    assert kernel.read(asked("microphone")) == ["idle"]
    assert kernel.read(asked("loudspeaker")) == ["idle"]
    assert kernel.read(asked("slider")) == ["busy", "idle"]
    assert kernel.read({"msg_type": "execute_request", "content": {}}) == ["busy", "idle"]
    assert kernel.read({}) == ["busy", "idle"]
    kernel._publish_status("busy", "shell", parent=asked("microphone"))
    assert not kernel.said


@pytest.mark.parametrize("comm", [None, SimpleNamespace(), SimpleNamespace(kernel=object())])
def test_where_the_kernel_is_another_one_nothing_happens(comm):
    unannounced(SimpleNamespace(comm=comm))


def test_the_kernel_that_is_here_is_made_as_it_is_thought_to_be():
    from ipykernel.ipkernel import IPythonKernel

    assert callable(IPythonKernel._publish_status)
    assert callable(IPythonKernel.get_parent)
