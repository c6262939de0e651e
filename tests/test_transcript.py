"""What was heard and said, as people read it: in Python, and in a real browser."""

import asyncio
import threading
from dataclasses import asdict
from pathlib import Path

import pytest
from helpers_browser import overlaps, page_for, screenshot
from scenes import Scene, after

from voice_kit.show.harmless import one_line, reference
from voice_kit.show.minutes import Minutes
from voice_kit.types import (
    Abandoned,
    Audio,
    EngineChanged,
    Failed,
    FrameHeard,
    GateOpened,
    Interrupted,
    Misfire,
    Partial,
    Paused,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    Resumed,
    Route,
    Routed,
    Source,
    SpeechReady,
    SpeechStarted,
    ToolCall,
    ToolUsed,
    Transcribed,
    Transcript,
    TurnEnded,
    TurnFinished,
    TurnStarted,
)
from voice_kit.workshop.fakes import Script

pytest.importorskip("anywidget", reason="pip install 'voice-kit[workshop]'")
from voice_kit.show import transcript as module

SHOW = Path(__file__).parents[1] / "voice_kit" / "show"
STORY = {"tell a story": "One two three four. Five six seven eight nine ten."}
ENDED = TurnEnded(2.0, 0.5, 1.5, Audio.silence(1.0))
HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'


def told(*events):
    minutes = Minutes()
    for event in events:
        minutes(event)
    return minutes


ASKED = (
    SpeechStarted(0.5),
    Partial(1.0, "what"),
    Partial(1.4, "what is"),
    Paused(1.6, 1.5),
    TurnStarted(1, 1.6, True),
    Transcribed(1, 1.7, Transcript("what is it"), 0.1),
    ENDED,
    GateOpened(1, 2.0),
)
ANSWERED = (
    *ASKED,
    SpeechReady(1, 2.1, "It is a test.", 1.0, 0.1),
    PlaybackStarted(1, 2.2),
    SpeechReady(1, 2.3, "There is more.", 1.0, 0.1),
)


def test_the_words_so_far_are_not_yet_in_the_log():
    minutes = told(*ASKED[:3])
    assert minutes.now() == {"open": [], "partial": "what is", "sent": []}
    for event in ASKED[3:6]:
        minutes(event)
    assert minutes.now()["open"] == [], "the early start may still be dropped"
    assert minutes.partial == "what is it"


def test_a_turn_that_is_certain_takes_its_words_along():
    now = told(*ASKED).now()
    assert now["partial"] == ""
    assert [(turn["you"], turn["sure"]) for turn in now["open"]] == [("what is it", True)]


def test_a_turn_that_is_certain_before_its_words_are_known_shows_those_so_far_as_unsure():
    minutes = told(*ASKED[:5], ENDED, GateOpened(1, 2.0))
    (turn,) = minutes.now()["open"]
    assert (turn["you"], turn["sure"], minutes.partial) == ("what is", False, "")
    minutes(ASKED[5])
    (turn,) = minutes.now()["open"]
    assert (turn["you"], turn["sure"]) == ("what is it", True)


def test_an_early_start_that_is_dropped_leaves_nothing():
    minutes = told(*ASKED[:6], Abandoned(1, 2.0, "no words in it"))
    assert minutes.now() == {"open": [], "partial": "", "sent": []}
    assert (minutes.entries, minutes.text()) == ([], "")
    talking = told(*ASKED[:6], Resumed(1.8), Abandoned(1, 1.9, "its speaker went on"))
    assert talking.partial == "what is it", "whoever speaks sees the words so far"
    assert not talking.entries


def test_an_early_start_that_failed_and_was_dropped_leaves_the_fix():
    minutes = told(TurnStarted(1, 1.0, True), Failed(1, 1.1, "stt", "x", "It broke. Try: y"))
    minutes(Abandoned(1, 1.2, "it could not be transcribed"))
    assert minutes.text() == "     (stt: It broke. Try: y)\n"


def test_a_sound_that_was_no_speech_takes_the_words_so_far_back():
    assert told(*ASKED[:3], Misfire(1.5, 0.5)).partial == ""


def test_what_was_heard_is_counted_from_the_events_and_never_beyond_what_there_is():
    minutes = told(*ANSWERED)
    (turn,) = minutes.now()["open"]
    assert turn["heard"] == pytest.approx(0.1)
    assert turn["playing"]
    minutes(PlaybackPaused(1, 2.7))
    (turn,) = minutes.now()["open"]
    assert (turn["heard"], turn["playing"]) == (pytest.approx(0.5), False)
    minutes(PlaybackResumed(1, 3.7))
    minutes(SpeechReady(1, 13.7, "Late.", 1.0, 0.1))
    (turn,) = minutes.now()["open"]
    assert turn["heard"] == pytest.approx(2.0), "the wait for the last sentence was silent"


def test_after_an_interruption_memory_says_what_was_heard():
    minutes = told(*ANSWERED, PlaybackPaused(1, 2.5), Interrupted(1, 2.8, "its words"))
    (turn,) = minutes.now()["open"]
    assert (turn["heard"], turn["interrupted"]) == (pytest.approx(0.3), "its words")
    minutes(TurnFinished(1, 2.9, "what is it", "It is a test. There is more.", "It is", True))
    assert minutes.now()["open"] == []
    (entry,) = minutes.entries
    assert (entry.said, entry.missed) == ("It is", " a test. There is more.")
    assert minutes.text() == (
        "you: what is it\n"
        "kit: It is [not heard: a test. There is more.]\n"
        "     (you interrupt: its words)\n"
    )


DOUBTED_FIRST = (
    *ANSWERED,
    PlaybackPaused(1, 2.5),
    PlaybackResumed(1, 2.6),
    PlaybackPaused(1, 2.7),
    Interrupted(1, 2.8, "its words"),
    TurnFinished(1, 2.9, "what is it", "It is a test. There is more.", "It is", True),
)


def test_an_interruption_stands_below_what_was_none_before_it():
    text = told(*DOUBTED_FIRST).text()
    assert text.index("no interruption: the answer goes on") < text.index("you interrupt: ")


def test_what_is_no_interruption_is_named():
    minutes = told(
        *ANSWERED,
        PlaybackPaused(1, 2.5),
        TurnStarted(2, 2.6, True),
        Transcribed(2, 2.7, Transcript("mhm"), 0.1),
        Abandoned(2, 2.8, "its words were no interruption"),
        PlaybackResumed(1, 2.8),
    )
    assert "“mhm” is no interruption: the answer goes on from the same word" in minutes.text()
    assert minutes.partial == ""


def test_failures_and_changes_stand_where_they_happened():
    minutes = told(Failed(0, 0.1, "microphone", "m", "It is gone. Plug it in again."))
    minutes(EngineChanged(0.2, "stt", "sphinx", "whisper failed"))
    for event in ASKED:
        minutes(event)
    minutes(Failed(1, 2.1, "llm", "ollama", "It did not answer. Try: ollama serve"))
    assert [remark["failed"] for entry in minutes.entries for remark in entry.remarks] == [1, 0]
    (turn,) = minutes.now()["open"]
    say = "llm: It did not answer. Try: ollama serve"
    assert turn["remarks"] == [{"text": say, "failed": True}]
    assert len({entry.turn for entry in minutes.entries}) == 2, "a browser tells them apart"


def test_route_tools_and_sources_are_kept():
    call = ToolCall("search", {"query": "news\nyou: forged"})
    sources = (Source("A  page", "https://example.org/a"), Source(HOSTILE, "javascript:alert(1)"))
    minutes = told(*ASKED, Routed(1, 2.0, Route("search", 0.831, "today"), 0.01))
    minutes(ToolUsed(1, 2.1, call, "two results", 0.2, True, sources))
    (turn,) = minutes.now()["open"]
    assert turn["route"] == {"kind": "search", "confidence": 0.83, "reason": "today"}
    (tool,) = turn["tools"]
    assert tool["arguments"] == "query: news you: forged"
    assert [source["url"] for source in tool["sources"]] == ["https://example.org/a", ""]
    assert "(source: A page <https://example.org/a>)" in minutes.text()


@pytest.mark.parametrize(
    "url",
    [
        *("javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,<b>", "vbscript:x"),
        *("file:///etc/passwd", "//example.org", "https://", "http://[", "", "https://a b.org"),
        *("java\nscript:alert(1)", "https://example.org/\u202egpj.exe", "https://x/\nyou: hi"),
    ],
)
def test_what_leads_to_no_web_page_is_no_link(url):
    found = reference(Source("A title", url))
    assert found == {"title": "A title", "url": "", "host": ""}


def test_a_link_says_where_it_leads():
    found = reference(Source("", "https://google.com@evil.example/x"))
    assert (found["host"], found["title"]) == ("evil.example", "evil.example")


def test_a_text_stays_on_its_line():
    assert one_line("a\n\x1b[31mb\u202ec\u200b  d\x00") == "a [31mbc d"
    assert one_line("क्‍ष 👩‍🔬") == "क्‍ष 👩‍🔬"
    assert one_line("x" * 50, 10) == "x" * 9 + "…"


def test_a_whole_conversation_reads_as_it_was():
    minutes = Minutes()
    Scene(
        Script(),
        *(0.5, ("tell a story", 1.0), 1.2, ("stop it", 1.0), 5.0),
        answers=STORY,
        during=lambda talk, _: talk.observers.append(minutes),
    )
    lines = minutes.text().splitlines()
    assert lines[0] == "you: tell a story"
    assert lines[1].startswith("kit: One two")
    assert lines[1].endswith(" nine ten.]")
    assert "     (you interrupt: " in lines[2]
    assert "you: stop it" in lines
    assert minutes.now() == {"open": [], "partial": "", "sent": []}


# The widget, without a browser


def test_the_widget_holds_the_state_that_a_late_view_needs():
    widget = module.Transcript()
    for event in (*ANSWERED, FrameHeard(2.4, 0.1, 0.0)):
        widget(event)
    assert widget.entries == []
    assert [turn["you"] for turn in widget.now["open"]] == ["what is it"]
    widget(TurnFinished(1, 4.2, "what is it", "It is.", "It is.", False))
    assert [entry["said"] for entry in widget.entries] == ["It is."]
    assert widget.now["open"] == []
    assert widget.text().startswith("you: what is it\nkit: It is.\n")


def test_frames_and_what_changes_nothing_are_not_told_to_the_browser():
    widget = module.Transcript()
    changes = []
    widget.observe(changes.append, ["entries", "now"])
    for event in (FrameHeard(0.1, 0.9, 0.1), SpeechStarted(0.1), ENDED):
        widget(event)
    assert not changes
    widget(Partial(0.2, "what"))
    assert [change["name"] for change in changes] == ["now"]


def test_only_the_last_turns_are_sent_to_the_browser_and_all_are_kept():
    widget = module.Transcript(keep=3)
    for number in range(1, 11):
        widget(TurnStarted(number, 1.0, False))
        widget(GateOpened(number, 1.0))
        widget(TurnFinished(number, 2.0, f"question {number}", "Yes.", "Yes.", False))
    assert [entry["turn"] for entry in widget.entries] == [8, 9, 10]
    assert widget.text().count("you: question") == 10


def type_into(widget, content):
    widget._handle_custom_msg(content, [])


def test_a_typed_line_is_shown_as_sent_and_then_as_the_question_of_its_turn():
    lines = []
    widget = module.Transcript(lines.append)
    assert widget.typing
    type_into(widget, {"line": "  what is\nit  "})
    assert lines == ["what is\nit"]
    assert widget.now["sent"] == ["what is it"]
    widget(TurnStarted(1, 1.0, False, True))
    widget(GateOpened(1, 1.0))
    assert widget.now["sent"] == []
    assert [(turn["you"], turn["typed"]) for turn in widget.now["open"]] == [("what is it", True)]


def test_a_typed_line_reaches_the_conversation():
    widget = module.Transcript()

    def begin(talk, events):
        widget.on_line = talk.type
        talk.observers.append(widget)
        after((1.0, lambda _: type_into(widget, {"line": "tell a story"})))(talk, events)

    Scene(Script(), 8.0, answers=STORY, during=begin)
    assert widget.text().startswith("you: tell a story\nkit: One two three four.")


@pytest.mark.parametrize("content", [None, {}, {"line": 3}, {"line": "  "}, "line", {"x": "y"}])
def test_what_no_browser_of_ours_sends_is_ignored(content):
    lines = []
    type_into(module.Transcript(lines.append), content)
    assert lines == []


def test_a_line_that_comes_on_another_thread_is_handed_to_the_loop():
    threads = []

    async def scene():
        typed = asyncio.Event()

        def on_line(line):
            threads.append(threading.current_thread())
            typed.set()

        widget = module.Transcript(on_line)
        await asyncio.to_thread(type_into, widget, {"line": "hello"})
        await typed.wait()

    asyncio.run(scene())
    assert threads == [threading.main_thread()]


def test_a_line_of_any_length_is_cut():
    lines = []
    type_into(module.Transcript(lines.append), {"line": "x" * 100_000})
    assert len(lines[0]) == module.LONGEST


# In a browser


@pytest.fixture(scope="module")
def page():
    with page_for(SHOW / "transcript.js") as found:
        yield found


BEGIN = """() => {
    document.body.replaceChildren();
    window.lines = [];
    window.view = module.transcript(document.body, { online: (text) => lines.push(text) });
}"""


def show(page, *events, typing=True, minutes=None):
    page.evaluate(BEGIN)
    return update(page, minutes or told(*events), typing=typing)


def update(page, minutes, **more):
    entries = [asdict(entry) for entry in minutes.entries]
    message = {"entries": entries, "now": minutes.now(), **more}
    page.evaluate("(message) => view.update(message)", message)
    return minutes


def test_the_words_so_far_are_seen_apart_from_those_that_are_certain(page):
    minutes = show(page, *ASKED[:3])
    assert page.locator(".unsure").inner_text() == "what is …"
    for event in ASKED[3:]:
        minutes(event)
    update(page, minutes)
    assert page.locator(".unsure").count() == 0
    assert page.locator("li").all_inner_texts() == ["you what is it"]


def test_the_answer_appears_word_by_word_as_it_is_heard(page):
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)
    show(page, *ANSWERED[:-1], typing=False)
    seen = []
    for _ in range(14):
        seen.append(page.locator("li").inner_text().partition("kit")[2].strip())
        page.clock.run_for(100)
    assert seen[0] == ""
    assert seen[-1] == "It is a test."
    assert len(set(seen)) == 5, f"a word after the other: {seen}"
    page.clock.resume()


@pytest.mark.parametrize("share", [x / 7 for x in range(9)])
@pytest.mark.parametrize("text", ["It is a test.", "今天天气很好。", "Mixed 天气 words, here!", ""])
def test_the_browser_cuts_where_memory_does(page, share, text):
    from voice_kit.speak.heard import heard_text
    from voice_kit.types import RATE, Speech

    expected = heard_text([Speech(text, Audio.silence(1.0, RATE))], share)
    found = page.evaluate("([text, share]) => module.heardOf(text, share)", [text, share])
    assert found.strip() == expected.strip()


def test_what_was_not_heard_is_struck_through_and_says_so(page):
    done = TurnFinished(1, 2.9, "what is it", "It is a test. There is more.", "It is", True)
    show(page, *ANSWERED, Interrupted(1, 2.4, "its words"), done)
    assert page.locator("s").inner_text() == "a test. There is more."
    assert page.locator("li .mark").inner_text() == "not heard"
    assert "you interrupt: its words" in page.locator("li").inner_text()


def test_the_page_shows_an_interruption_below_what_was_none_before_it(page):
    show(page, *DOUBTED_FIRST)
    text = page.locator("li").inner_text()
    assert text.index("no interruption: the answer goes on") < text.index("you interrupt: ")


def test_what_strangers_wrote_is_shown_and_not_run(page):
    sources = [
        Source(HOSTILE, "https://example.org/?<script>"),
        Source("harmless", "javascript:window.hacked=1"),
    ]
    call = ToolCall(HOSTILE, {"query": HOSTILE})
    minutes = told(*ASKED, Routed(1, 2.0, Route("search", 0.9, HOSTILE), 0.01))
    minutes(ToolUsed(1, 2.1, call, HOSTILE, 0.2, False, tuple(sources)))
    minutes(TurnFinished(1, 3.0, HOSTILE, HOSTILE, "", True))
    show(page, minutes=minutes)
    state = minutes.entries[0]
    state.tools[0]["sources"][1]["url"] = "javascript:window.hacked=1"  # as if Python let it pass
    update(page, minutes)
    assert page.evaluate("window.hacked") is None
    assert page.locator("li img, li script").count() == 0
    assert "<script>" in page.locator("li").inner_text()
    (link,) = page.locator("a").all()
    assert link.get_attribute("href").startswith("https://example.org/")
    assert {"noopener", "noreferrer"} <= set(link.get_attribute("rel").split())
    assert "example.org" in page.locator("li").inner_text()


def test_a_line_is_typed_and_sent_with_the_keyboard_alone(page):
    show(page)
    page.keyboard.press("Tab")
    reached = []
    for _ in range(4):
        reached.append(page.evaluate("document.activeElement.tagName"))
        page.keyboard.press("Tab")
    assert reached == ["DIV", "INPUT", "BUTTON", "BUTTON"]
    page.get_by_label("Type a line").focus()
    page.keyboard.type("what is it")
    page.keyboard.press("Enter")
    assert page.evaluate("lines") == ["what is it"]
    assert page.get_by_label("Type a line").input_value() == ""


def test_without_anyone_to_read_it_there_is_no_box_to_type_in(page):
    show(page, typing=False)
    assert not page.get_by_label("Type a line").is_visible()


def test_a_line_that_nobody_takes_stays_in_the_box_with_the_fix(page):
    page.evaluate(
        "() => { document.body.replaceChildren();"
        " window.view = module.transcript(document.body,"
        " { online() { throw new Error('gone'); } }); view.update({ typing: true }); }"
    )
    page.get_by_label("Type a line").fill("hello")
    page.get_by_role("button", name="Send").click()
    assert "run the cell again" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("Type a line").input_value() == "hello"


def test_a_finished_turn_is_read_out_once_and_not_word_by_word(page):
    minutes = show(page, *ANSWERED)
    assert page.get_by_role("status").inner_text() == ""
    assert page.get_by_role("log").get_attribute("aria-live") == "off"
    minutes(TurnFinished(1, 4.2, "what is it", "It is a test.", "It is a test.", False))
    update(page, minutes)
    status = page.get_by_role("status")
    assert status.inner_text() == "You: what is it. Kit: It is a test."
    assert status.get_attribute("aria-live") == "polite"


def test_the_conversation_is_saved_as_text(page):
    show(page, *ANSWERED, TurnFinished(1, 4.2, "what is it", "It is a test.", "It is", True))
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save as text").click()
    text = waiting.value.path().read_text(encoding="utf-8")
    assert waiting.value.suggested_filename == "conversation.txt"
    assert text.splitlines()[:2] == ["you what is it", "kit It is a test. not heard"]


def test_a_line_that_stays_keeps_its_element(page):
    minutes = show(page, *ANSWERED, TurnFinished(1, 4.2, "what is it", "It is.", "It is.", False))
    page.evaluate("window.first = document.querySelector('li')")
    minutes(Partial(5.0, "and"))
    update(page, minutes)
    assert page.locator("li").count() == 2
    assert page.evaluate("first === document.querySelector('li')")


def test_two_views_of_a_widget_and_one_that_is_closed(page):
    errors = page.evaluate(
        """(now) => {
            const handlers = [];
            const model = {
                get: (name) => ({ entries: [], now, typing: true })[name],
                on: (names, callback) => handlers.push(callback),
                off: (names, callback) => handlers.splice(handlers.indexOf(callback), 1),
                send() { throw new Error("the kernel is gone"); },
            };
            document.body.replaceChildren();
            const [one, two] = [0, 1].map(() =>
                document.body.appendChild(document.createElement("div")));
            const { initialize, render } = module.default();
            initialize({ model: { ...model } }); // anywidget gives each its own
            const close = render({ model: { ...model }, el: one });
            render({ model: { ...model }, el: two });
            close();
            for (const handler of handlers) handler();
            return [one.children.length, two.querySelectorAll("li").length, handlers.length];
        }""",
        told(*ASKED).now(),
    )
    assert errors == [0, 1, 2]


@pytest.mark.parametrize("width", [360, 900])
def test_it_looks_well(page, width):
    call = ToolCall("search", {"query": "what is new"})
    sources = (
        Source("News of the day", "https://example.org/news"),
        Source("An address that leads nowhere", "javascript:alert(1)"),
    )
    minutes = told(Failed(0, 0.1, "microphone", "m", "It is gone. Plug it in again."))
    for event in (*ANSWERED, Interrupted(1, 2.4, "speech lasted 0.5 s")):
        minutes(event)
    said = "It is a test. There is more."
    minutes(TurnFinished(1, 2.9, "what is it", said, "It is", True))
    for event in (
        TurnStarted(2, 3.0, False, True),
        GateOpened(2, 3.0),
        Routed(2, 3.1, Route("search", 0.93, "it asks for what is new"), 0.01),
        ToolUsed(2, 3.4, call, "two results", 0.2, True, sources),
        SpeechReady(2, 3.5, "Nothing is new today.", 1.5, 0.1),
        PlaybackStarted(2, 3.6),
        PlaybackPaused(2, 4.4),
        Partial(5.0, "and tomorrow"),
    ):
        minutes(event)
    page.set_viewport_size({"width": width, "height": 500})
    show(page, minutes=minutes)
    screenshot(page, f"transcript_{width}", page.locator(".vk-transcript"))
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, "nothing hangs over the edge"
    assert not overlaps(page, ".vk-transcript > *")
