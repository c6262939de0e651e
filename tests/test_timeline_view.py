"""Where the time of each turn went, to look into: in Python, and in a real browser."""

import asyncio
import csv
import io
import json
import threading
from pathlib import Path

import pytest
from helpers_browser import drawn, overlaps, page_for, screenshot
from scenes import Scene, after

from voice_kit.converse.timeline import STAGES
from voice_kit.settings import Settings
from voice_kit.show import bars
from voice_kit.show.timeline import COLOURS, HATCHES, draw
from voice_kit.types import (
    Abandoned,
    Audio,
    GateOpened,
    PlaybackStarted,
    SpeechReady,
    Transcribed,
    Transcript,
    TurnEnded,
    TurnFinished,
    TurnStarted,
)
from voice_kit.workshop.fakes import Script, ScriptedModel, ScriptedTranscriber, scripted

pytest.importorskip("anywidget", reason="pip install 'voice-kit[workshop]'")
from voice_kit.show.redrawn import EVENTS
from voice_kit.show.timeline_view import TimelineView

SHOW = Path(__file__).parents[1] / "voice_kit" / "show"
STORY = {"tell a story": "One two three four. Five six seven eight nine ten."}
HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
TWO = (0.5, ("tell a story", 1.0), 6.0, ("and now", 1.0), 4.0)
INTERRUPTED = (0.5, ("tell a story", 1.0), 1.6, ("stop it please now", 1.5), 5.0)
NO_INTERRUPTION = (0.5, ("tell a story", 1.0), 1.5, ("mhm", 0.3), 6.0)


def seen(*parts, view=None, settings=None, during=None, **engines):
    """A view, and what it saw of a scene."""
    script = Script()
    view = view or TimelineView(settings=settings)
    engines = scripted(script, STORY, stt=ScriptedTranscriber(script), **engines)

    def begin(talk, events):
        talk.observers.append(view)
        if during:
            during(talk, events)

    view.scene = Scene(script, *parts, engines=engines, settings=settings, during=begin)
    return view


def of(view, number, stage):
    turn = next(each for each in view.turns if each["turn"] == number)
    return [bar for bar in turn["bars"] if bar["stage"] == stage]


def test_every_bar_of_every_turn_counts_from_its_last_word():
    view = seen(*TWO)
    times = view.scene.timeline.turns
    assert [turn["row"]["heard"] for turn in view.turns] == ["tell a story", "and now"]
    for turn, plain in zip(times, view.turns, strict=True):
        assert plain["first"] == pytest.approx(turn.voice_to_voice)
        expected = {(bar.stage, bar.start - turn.ended, bar.end - turn.ended) for bar in turn.bars}
        found = {(bar["stage"], bar["start"], bar["end"]) for bar in plain["bars"]}
        assert found == expected
        (wait,) = of(view, plain["turn"], "wait")
        assert wait["start"] == 0.0


def test_everything_that_can_be_drawn_has_a_name_and_a_colour():
    assert {each["name"] for each in bars.stages()} == COLOURS.keys()
    assert STAGES.keys() < COLOURS.keys()
    assert len(set(HATCHES.values())) == len(HATCHES)


def test_a_turn_is_drawn_when_its_first_sound_is_heard_and_again_when_it_is_over():
    view = TimelineView()
    told = []
    view.observe(lambda change: told.append(change["new"]), "turns")
    for event in (
        TurnEnded(2.0, 0.5, 1.5, Audio.silence(1.0)),
        TurnStarted(1, 2.0, False),
        GateOpened(1, 2.0),
        Transcribed(1, 2.1, Transcript("what is it"), 0.1),
        SpeechReady(1, 2.3, "A test.", 1.0, 0.1),
        PlaybackStarted(1, 2.4),
        TurnFinished(1, 3.4, "what is it", "A test.", "A test.", False),
    ):
        view(event)
    assert [[turn["turn"] for turn in each] for each in told] == [[1], [1]]
    early, whole = told
    assert early[0]["first"] == whole[0]["first"] == pytest.approx(0.9)
    assert (
        early[0]["title"]
        == whole[0]["title"]
        == ("“what is it”: first sound 900 ms after your last word")
    )
    assert "playback" not in {bar["stage"] for bar in early[0]["bars"]}
    assert whole[0]["row"]["said_heard"] == "A test."


def test_an_early_start_that_was_dropped_is_not_drawn():
    view = TimelineView()
    view(TurnStarted(1, 1.0, True))
    view(Transcribed(1, 1.1, Transcript("mhm"), 0.1))
    view(Abandoned(1, 1.2, "no words in it"))
    assert view.turns == []
    assert view.rows() == []
    assert view._redrawn.rules == {}


def test_an_interruption_is_a_bar_with_its_reason():
    view = seen(*INTERRUPTED)
    (held,) = of(view, 1, "interruption")
    (paused,) = of(view, 1, "playback")
    assert held["start"] == pytest.approx(paused["end"])
    assert "Then the answer stopped: " in held["why"]
    assert view.turns[0]["row"]["interrupted"]


def test_what_was_no_interruption_is_a_bar_between_two_of_the_answer():
    view = seen(*NO_INTERRUPTION)
    (held,) = of(view, 1, "interruption")
    before, behind = of(view, 1, "playback")
    assert (held["start"], held["end"]) == (before["end"], behind["start"])
    assert "It was no interruption, and the answer went on" in held["why"]


def test_the_longest_bar_says_what_would_make_it_shorter():
    view = seen(*TWO)
    (wait,) = of(view, 1, "wait")
    assert "is waiting for you to go on: `hear.stop`, `hear/endpointing.py`" in wait["why"]
    assert "A shorter hear.stop, now 0.5 s, saves up to" in wait["why"]


def test_work_that_nobody_waited_for_says_so():
    view = seen(*TWO)
    assert "Nobody waited for it" in view.why(1, "transcribe")


def test_work_that_was_waited_for_says_how_much_of_the_silence_it_is():
    model = ScriptedModel(STORY, first=0.9)
    view = seen(*TWO, settings=Settings().changed({"hear.eager": 0}), llm=model)
    why = view.why(1, "first_token")
    assert why.startswith("Model, to its first word: 9")
    assert "ms of silence is scripted thinking of the first word: `llm`" in why
    assert "Another llm may be faster" in why


def test_every_bar_of_every_scene_has_a_reason_and_it_is_plain_data():
    views = [seen(*parts) for parts in (TWO, INTERRUPTED, NO_INTERRUPTION)]
    reasons = [bar["why"] for view in views for turn in view.turns for bar in turn["bars"]]
    assert len(reasons) > 30
    assert all(len(reason) > 10 for reason in reasons)
    for view in views:
        assert json.loads(json.dumps(view.turns)) == view.turns
        assert all(view.why(turn["turn"]) for turn in view.turns)


def test_the_settings_that_count_are_those_that_the_turn_began_with():
    now = [Settings().changed({"hear.stop": 0.4})]
    view = TimelineView(settings=lambda: now[0])
    view(TurnEnded(2.0, 0.5, 1.5, Audio.silence(1.0)))
    view(TurnStarted(1, 1.6, False))
    now[0] = Settings().changed({"hear.stop": 0.9})
    view(GateOpened(1, 2.0))
    view(PlaybackStarted(1, 2.1))
    assert "hear.stop, now 0.4 s" in view.why(1, "wait")


def test_a_typed_line_counts_from_when_it_was_typed():
    view = seen(9.0, during=after((1.0, lambda talk: talk.type("tell a story"))))
    (turn,) = view.turns
    assert turn["typed"]
    assert turn["first"] == pytest.approx(min(bar["start"] for bar in of(view, 1, "playback")))
    assert {bar["stage"] for bar in turn["bars"]} >= {"first_token", "synthesis", "playback"}
    assert "answered aloud" in turn["title"]


def test_what_is_said_unasked_is_named_by_its_words():
    view = seen(9.0, during=after((1.0, lambda talk: talk.announce("Your timer is done."))))
    (turn,) = view.turns
    assert turn["title"] == "“Your timer is done.”: said by itself"


def test_earlier_turns_are_there_from_the_beginning():
    earlier = seen(*TWO).scene.timeline
    view = TimelineView(earlier)
    assert [turn["turn"] for turn in view.turns] == [1, 2]
    assert len(view.rows()) == 2
    assert all(bar["why"] for turn in view.turns for bar in turn["bars"])


def test_a_timeline_that_somebody_else_feeds_is_left_alone():
    scene = seen(*TWO).scene
    view = TimelineView(scene.timeline)
    for event in scene.events:
        view(event)
    assert len(scene.timeline.turns) == 2
    assert [turn["turn"] for turn in view.turns] == [1, 2]


def test_a_long_conversation_is_bounded_in_what_it_keeps_and_sends():
    view = TimelineView(keep=5)
    for number in range(1, 200):
        at = 10.0 * number
        for event in (
            TurnEnded(at + 1, at, at + 0.5, Audio.silence(1.0)),
            TurnStarted(number, at + 1, False),
            GateOpened(number, at + 1),
            PlaybackStarted(number, at + 2),
            TurnFinished(number, at + 3, "question", "Yes.", "Yes.", False),
        ):
            view(event)
    assert [turn["turn"] for turn in view.turns] == list(range(195, 200))
    assert len(view._redrawn.events) == EVENTS
    assert view._redrawn.rules == {}
    ends = [event for event in view._redrawn.events if isinstance(event, TurnEnded)]
    assert ends
    assert all(not len(event.audio.samples) for event in ends)
    assert len(view.rows()) == 199


def test_the_table_has_a_row_for_each_turn():
    view = seen(*TWO)
    first, second = view.rows()
    assert (first["turn"], first["heard"], second["heard"]) == (1, "tell a story", "and now")
    assert first["silence_ms"] == round(1000 * view.turns[0]["first"])
    found = list(csv.DictReader(io.StringIO(view.csv())))
    assert [each["silence_ms"] for each in found] == [str(first["silence_ms"])] * 2
    assert TimelineView().csv() == ""


def test_what_was_said_is_never_a_formula():
    text = bars.as_csv([{"heard": "=1+1", "silence_ms": -3}, {"heard": "@x", "silence_ms": None}])
    assert text == "heard,silence_ms\n'=1+1,-3\n'@x,\n"


def test_the_picture_is_written_into_a_file(tmp_path):
    view = seen(*TWO)
    path = view.save(tmp_path / "timeline.png")
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert len(view.figure(last=1).axes) == 1


def test_the_picture_of_an_interrupted_answer_says_so():
    times = seen(*INTERRUPTED).scene.timeline.turns
    words = [text.get_text() for text in draw(times).axes[0].texts]
    assert any("you interrupt" in word for word in words)


def pick(view, content):
    view._handle_custom_msg(content, [])


def test_a_click_is_told_with_its_turn_and_stage():
    picked = []
    view = seen(*TWO, view=TimelineView(on_pick=lambda *what: picked.append(what)))
    pick(view, {"pick": [1, "wait"]})
    assert picked == [(1, "wait")]


@pytest.mark.parametrize("content", [None, {}, {"pick": 1}, {"pick": ["1", 2]}, {"pick": [1]}, 7])
def test_what_no_browser_of_ours_sends_is_ignored(content):
    picked = []
    pick(TimelineView(on_pick=lambda *what: picked.append(what)), content)
    assert picked == []


def test_a_click_that_comes_on_another_thread_is_handed_to_the_loop():
    threads = []

    async def scene():
        picked = asyncio.Event()

        def on_pick(turn, stage):
            threads.append(threading.current_thread())
            picked.set()

        view = TimelineView(on_pick=on_pick)
        await asyncio.to_thread(pick, view, {"pick": [1, "wait"]})
        await picked.wait()

    asyncio.run(scene())
    assert threads == [threading.main_thread()]


# In a browser


@pytest.fixture(scope="module")
def talked():
    """A conversation with everything in it."""
    parts = (0.5, ("tell a story", 1.0), 6.0, ("and now", 1.0), 4.0)
    more = (("tell a story", 1.0), 1.6, ("stop it please now", 1.5), 5.0)
    return seen(*parts, *more)


@pytest.fixture(scope="module")
def page(talked):  # for no loop of ours runs beside the browser
    with page_for(SHOW / "timeline_view.js") as found:
        yield found


def show(page, view, options="{ onpick: (...what) => picked.push(what) }"):
    page.evaluate(
        "() => { document.body.replaceChildren(); window.picked = [];"
        f" window.view = module.timeline(document.body, {options}) }}"
    )
    update(page, view)


def update(page, view):
    message = {"turns": view.turns, "stages": view.stages, "human": view.human}
    page.evaluate("(message) => view.update(message)", message)


def figures(page):
    return page.get_by_role("status").inner_text()


def test_every_bar_is_drawn_where_it_belongs(page, talked):
    show(page, talked)
    count = sum(len(turn["bars"]) for turn in talked.turns)
    assert count > 25
    assert page.locator(".bar").count() == count
    zero = page.locator(".at:not(.first):not(.before)").first.bounding_box()
    wait = page.locator(".bar[data-stage=wait]").first.bounding_box()
    assert wait["x"] == pytest.approx(zero["x"] + 1, abs=1.5), "a wait begins at the last word"
    first = page.locator(".at.first").first.bounding_box()
    (end,) = (bar["end"] for bar in of(talked, talked.turns[-1]["turn"], "wait"))
    scale = wait["width"] / end
    assert first["x"] - zero["x"] == pytest.approx(talked.turns[-1]["first"] * scale, abs=2)


def test_the_keyboard_reaches_every_bar_and_no_more_than_one_is_a_stop(page, talked):
    show(page, talked)
    assert page.locator(".bar[tabindex='0']").count() == 1
    page.locator(".bar[tabindex='0']").focus()
    reached, told = set(), set()
    for _ in range(page.locator(".bar").count()):
        reached.add(page.evaluate("document.activeElement.dataset.key"))
        told.add(figures(page))
        page.keyboard.press("ArrowRight")
    assert len(reached) == page.locator(".bar").count()
    assert len(told) == len(reached), "each has its own figures"
    page.keyboard.press("Home")
    before = page.evaluate("document.activeElement.dataset.key")
    page.keyboard.press("PageDown")
    behind = page.evaluate("document.activeElement.dataset.key")
    assert before.split()[0] != behind.split()[0]
    page.keyboard.press("PageUp")
    assert page.evaluate("document.activeElement.dataset.key") == before


def test_hovering_and_focus_give_the_same_figures(page, talked):
    show(page, talked)
    bar = page.locator(".bar[data-stage=transcribe]").first
    bar.focus()
    focused = figures(page)
    page.locator(".bar[data-stage=wait]").first.focus()
    assert figures(page) != focused
    bar.hover()
    assert figures(page) == focused
    assert "speech to text: 100 ms" in focused
    assert "in the turn before" in focused
    assert "median of the" in focused


def test_a_click_says_why_and_tells_which(page, talked):
    show(page, talked)
    last = talked.turns[-1]["turn"]
    page.locator(".bar[data-stage=wait]").first.click()
    assert figures(page) == talked.why(last, "wait").replace("`", "")
    assert page.evaluate("picked") == [[last, "wait"]]
    page.locator(".bar[data-stage=synthesis]").first.focus()
    page.keyboard.press("Enter")
    assert figures(page) == talked.why(last, "synthesis").replace("`", "")
    assert page.locator(".bar[aria-pressed=true]").count() == 1


def test_a_click_when_nobody_is_there_still_says_why(page, talked):
    show(page, talked, "{ onpick() { throw new Error('gone') } }")
    page.locator(".bar[data-stage=wait]").first.click()
    assert figures(page) == talked.why(talked.turns[-1]["turn"], "wait").replace("`", "")


def test_jupyterlab_takes_no_key_from_what_has_the_focus(page, talked):
    show(page, talked)
    page.locator("body").press("Tab")
    for _ in range(12):
        quiet = "document.activeElement.hasAttribute('data-lm-suppress-shortcuts')"
        assert page.evaluate(f"document.activeElement === document.body || {quiet}")
        page.keyboard.press("Tab")


def test_the_focus_stays_where_it_is_when_a_turn_is_added(page, talked):
    show(page, talked)
    page.locator(".bar[data-stage=wait]").last.focus()
    key = page.evaluate("document.activeElement.dataset.key")
    update(page, talked)
    assert page.evaluate("document.activeElement.dataset.key") == key


def test_the_silence_is_compared_with_the_last_turns_and_with_people(page, talked):
    show(page, talked)
    text = page.locator(".sum").inner_text()
    assert "Silence before the last answer: " in text
    assert "in the turn before" in text
    assert "People: about 200 ms." in text
    band = page.locator(".band").first.bounding_box()
    track = page.locator(".track").first.bounding_box()
    left, right = page.evaluate("(turns) => module.axis(turns, false)", talked.turns)
    assert band["width"] / track["width"] == pytest.approx(0.2 / (right - left), abs=0.01)


def test_what_was_said_is_shown_and_not_run(page):
    view = TimelineView()
    view(TurnEnded(2.0, 0.5, 1.5, Audio.silence(1.0)))
    view(TurnStarted(1, 2.0, False))
    view(GateOpened(1, 2.0))
    view(PlaybackStarted(1, 2.1))
    view(TurnFinished(1, 3.0, HOSTILE, HOSTILE, HOSTILE, False))
    show(page, view)
    assert page.evaluate("window.hacked") is None
    assert page.locator(".vk-timeline img, .vk-timeline script").count() == 0
    assert "<img" in page.locator(".title").inner_text()


def test_the_table_is_the_printed_twin(page, talked):
    show(page, talked)
    page.get_by_text("As a table").click()
    rows = page.locator("tbody tr").all_inner_texts()
    assert [row.split("\t")[:2] for row in rows] == [
        [str(row["turn"]), row["heard"]] for row in talked.rows()
    ]
    assert [row.split("\t")[3] for row in rows] == [str(r["silence_ms"]) for r in talked.rows()]


def test_the_table_is_saved_as_spreadsheets_read_it(page, talked):
    show(page, talked)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save as table").click()
    found = list(csv.reader(io.StringIO(waiting.value.path().read_text(encoding="utf-8"))))
    assert [each[1] for each in found[1:]] == [row["heard"] for row in talked.rows()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_is_saved(page, talked, scheme):
    page.emulate_media(color_scheme=scheme)
    show(page, talked)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save as PNG").click()
    data = waiting.value.path().read_bytes()
    assert data[:4] == b"\x89PNG"
    assert drawn(data) > 0.1


def test_before_the_first_turn_it_says_so(page):
    show(page, TimelineView())
    assert page.locator(".sum").inner_text() == "No spoken question was answered yet."
    assert not page.get_by_role("button", name="Save as PNG").is_visible()


@pytest.mark.parametrize(("width", "whole"), [(360, False), (900, False), (900, True)])
def test_it_looks_well(page, talked, width, whole):
    page.set_viewport_size({"width": width, "height": 760})
    show(page, talked)
    if whole:
        page.get_by_label("whole answers").check()
    page.locator(".bar[data-stage=wait]").first.click()
    name = f"timeline_{width}{'_whole' if whole else ''}"
    screenshot(page, name, page.locator(".vk-timeline"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not overlaps(page, ".vk-timeline > *")
    shown = page.locator(".row > :not(.track)").evaluate_all(
        "(cells) => cells.map((cell) => cell.scrollWidth <= cell.clientWidth + 1)"
    )
    assert len(shown) > 10
    assert all(shown), "no figure is cut off"
