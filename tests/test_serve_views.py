"""What a page is told of its conversation: the same that the notebook's widgets tell theirs."""

import asyncio
import subprocess
import sys
import time
from itertools import pairwise

import pytest
from scenes import Scene, after

from voice_kit.serve.views import BARS, MAKERS, TURNS, Views
from voice_kit.settings import Settings
from voice_kit.types import Failed, FrameHeard, SpeechStarted, TurnFinished, TurnStarted
from voice_kit.workshop.fakes import Script, ScriptedTranscriber, scripted

STORY = {"tell a story": "One two three four. Five six seven eight nine ten."}
TWO = (0.5, ("tell a story", 1.0), 6.0, ("and now", 1.0), 4.0)
INTERRUPTED = (0.5, ("tell a story", 1.0), 1.6, ("stop it please now", 1.5), 5.0)


class Page:
    """Puts together what it is told, as the modules do."""

    def __init__(self):
        self.messages = []
        self.shown = {name: {} for name in MAKERS}
        self.frames, self.marks = [], []

    def __call__(self, view, message):
        self.messages.append((view, message))
        self.shown[view] |= message
        if view == "waveform":
            self.frames += message["frames"]
            self.marks += message["events"]

    def of(self, view):
        return [message for name, message in self.messages if name == view]


def events_of(*parts, during=None):
    script = Script()
    engines = scripted(script, STORY, stt=ScriptedTranscriber(script))
    return Scene(script, *parts, engines=engines, during=during).events


async def told(*trickles):
    """Wait until nothing waits any more."""
    async with asyncio.timeout(10):
        while any(trickle.waiting for trickle in trickles):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)


def tell(views, events):
    """All the events, as fast as they come."""

    async def telling():
        for event in events:
            views(event)
        await told(*views._trickles.values())

    asyncio.run(telling())


@pytest.mark.parametrize("parts", [TWO, INTERRUPTED], ids=["two questions", "an interruption"])
def test_a_page_is_told_what_the_widgets_of_the_notebook_show(parts):
    pytest.importorskip("anywidget", reason="no anywidget in this Python: run make test")
    from voice_kit.show import Orb, TimelineView, Transcript, Waveform

    events = events_of(*parts)
    page, widgets = Page(), (Orb(), Transcript(), TimelineView(), Waveform())
    orb, transcript, timeline, waveform = widgets
    sent = []
    waveform.send = lambda content: sent.append(content)
    tell(Views(MAKERS, page), events)

    async def telling():  # what the widgets trickle out needs a loop too
        for event in events:
            for widget in widgets:
                widget(event)
        await told(orb._trickle, waveform._trickle)

    asyncio.run(telling())
    shown = page.shown
    assert {name: shown["orb"][name] for name in ("state", "label", "detail")} == {
        name: getattr(orb, name) for name in ("state", "label", "detail")
    }
    assert len(transcript.entries) > 1
    assert shown["transcript"]["entries"] == transcript.entries
    assert shown["transcript"]["now"] == transcript.now
    assert shown["timeline"]["turns"] == timeline.turns
    assert shown["timeline"]["stages"] == timeline.stages
    assert shown["timeline"]["human"] == timeline.human
    assert shown["waveform"]["rules"] == waveform.rules
    assert shown["waveform"]["marks"] == waveform.marks
    assert page.marks == [mark for message in sent for mark in message["events"]]
    assert page.frames[-1] == sent[-1]["frames"][-1]


def test_each_view_speaks_ten_times_a_second_at_most_and_loses_nothing():
    page, times = Page(), {"orb": [], "waveform": []}

    async def hear():
        def send(view, message):
            times[view].append(time.monotonic())
            page(view, message)

        views, ends, number = Views(["orb", "waveform"], send), time.monotonic() + 0.6, 0
        while (now := time.monotonic()) < ends:
            if number * 0.003 < now - ends + 0.6:
                number += 1
                views(FrameHeard(number * 0.032, 0.1, 0.01 * (number % 7)))
            await asyncio.sleep(0)
        await told(*views._trickles.values())
        return number

    number = asyncio.run(hear())
    for each in times.values():
        gaps = [later - at for at, later in pairwise(each[1:])]
        assert 3 <= len(gaps) <= 8
        assert min(gaps) > 0.095
    assert [frame[0] for frame in page.frames] == [
        round(at * 0.032, 3) for at in range(1, number + 1)
    ]


def test_only_what_is_wanted_is_told():
    page = Page()
    tell(Views(["orb"], page), events_of(*TWO))
    assert {view for view, _ in page.messages} == {"orb"}
    nobody = Page()
    tell(Views([], nobody), events_of(*TWO))
    assert nobody.messages == []


def test_unknown_views_are_none():
    page = Page()
    views = Views(["orb", "telescope"], page)
    assert views.wanted == {"orb"}


def test_a_view_that_comes_late_is_told_all_of_the_present():
    events, page = events_of(*TWO), Page()
    views = Views(["transcript"], page)
    tell(views, events)
    views.want([])
    before = len(page.messages)
    tell(views, [TurnStarted(9, 30.0, False, typed=True)])
    assert len(page.messages) == before
    late = Page()
    views._send = late
    views.want(["transcript", "timeline"])
    assert [entry["you"] for entry in late.shown["transcript"]["entries"]] == [
        "tell a story",
        "and now",
    ]
    assert late.shown["timeline"]["stages"]


def test_a_timeline_that_is_opened_after_the_talk_shows_it():
    page = Page()
    views = Views(["orb", "transcript"], page)
    tell(views, events_of(*TWO))
    assert not page.shown["timeline"]
    views.want(["orb", "transcript", "timeline"])
    told = [turn["title"].partition("”")[0] for turn in page.shown["timeline"]["turns"]]
    assert told == ["“tell a story", "“and now"]


def test_in_quiet_the_sphere_says_nothing():
    page = Page()
    tell(Views(["orb"], page), [FrameHeard(i * 0.032, 0.0, 0.0) for i in range(100)])
    assert len(page.messages) == 1


def test_a_typed_line_is_seen_before_it_is_answered():
    page = Page()
    views = Views(["transcript"], page)

    async def typing():
        views.typed("what is a token")
        await told(*views._trickles.values())

    asyncio.run(typing())
    assert page.shown["transcript"]["now"]["sent"] == ["what is a token"]
    events = events_of(1.0, during=after((0.1, lambda talk: talk.type("what is a token"))))
    typed = [event for event in events if getattr(event, "typed", False)]
    assert typed, "nothing was typed"
    tell(views, events)
    now = page.shown["transcript"]
    assert now["now"]["sent"] == []
    assert [(entry["you"], entry["typed"]) for entry in now["entries"]] == [
        ("what is a token", True)
    ]


def test_a_long_conversation_does_not_grow_its_messages():
    page = Page()
    views = Views(["transcript", "timeline"], page)
    turns = range(1, 3 * TURNS)
    tell(
        views,
        [
            event
            for number in turns
            for event in (
                TurnStarted(number, float(number), False),
                TurnFinished(number, number + 0.5, "hello", "Hi.", "Hi.", False),
            )
        ],
    )
    assert len(page.shown["transcript"]["entries"]) == TURNS
    assert page.shown["transcript"]["entries"][-1]["turn"] == turns[-1]
    assert [turn["turn"] for turn in page.shown["timeline"]["turns"]] == list(turns)[-BARS:]


def test_a_failure_is_told_with_its_fix():
    page = Page()
    tell(Views(["orb"], page), [Failed(0, 1.0, "stt", "sphinx", "It is gone. Start it again.")])
    assert page.shown["orb"]["state"] == "failed"
    assert "Start it again." in page.shown["orb"]["detail"]


def test_nothing_is_told_after_the_end():
    page = Page()
    views = Views(["waveform"], page)

    async def ending():
        views(SpeechStarted(1.0))
        await told(*views._trickles.values())
        views(SpeechStarted(2.0))  # waits
        views.close()
        await told(*views._trickles.values())

    asyncio.run(ending())
    assert [mark for mark, _ in page.marks] == [1.0]


def test_other_settings_are_drawn_from_the_next_message_on():
    page, rules = Page(), [Settings()]
    views = Views(["waveform"], page, lambda: rules[0])
    assert page.shown["waveform"]["rules"]["start_above"] == 0.5
    rules[0] = Settings(hear={"start_above": 0.7})
    tell(views, [FrameHeard(0.032, 0.1, 0.1)])
    assert page.shown["waveform"]["rules"]["start_above"] == 0.7


def test_a_gateway_needs_no_widgets():
    code = (
        "import sys, voice_kit.serve.views;"
        "assert not {'anywidget', 'ipywidgets', 'traitlets', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
