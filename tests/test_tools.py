"""Typed functions as tools: their schema, their arguments, and all that can go wrong."""

import asyncio
import datetime
import json
import threading
from typing import Annotated, Literal, Optional

import pytest
from helpers_tools import Asked, clock, weather
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from voice_kit.think.calls import UNREADABLE
from voice_kit.think.tools import BEGUN, LONGEST, SPOKEN, Result, Tool, ToolError, Tools, tool
from voice_kit.types import Source, ToolCall, ToolUsed


def use(found: Tool, arguments=None, *, thought=None):
    """What comes of using a tool once, and the event that told of it."""

    async def scene():
        asked = thought or Asked()
        given = ToolCall(found.name, arguments or {})
        result = await Tools([found]).use(asked, given, clock)
        (event,) = asked.told
        assert isinstance(event, ToolUsed)
        assert (event.call, event.worked) == (given, result.worked)
        return result, event

    return asyncio.run(scene())


@tool()
def everything(
    text: str,
    number: int,
    share: float,
    sure: bool,
    size: Literal["small", "large"],
    tags: list[str],
    day: datetime.date,
    at: datetime.time,
    note: Optional[str] = None,  # noqa: UP045
    often: int = 1,
    level: Annotated[int, Field(ge=0, le=10, description="how loud")] = 5,
) -> str:
    """Take one of everything,
    and say so.

    `number`: how many
    size (of two): how big it is
    tags – what it is called
    nobody: is no parameter
    """
    return repr((text, number, share, sure, size, tags, day, at, note, often, level))


ONE_OF_EACH = {
    "text": "hello",
    "number": 3,
    "share": 0.5,
    "sure": True,
    "size": "small",
    "tags": ["a"],
    "day": "2026-03-01",
    "at": "07:30",
}


# What a model is told


def test_a_model_is_told_the_first_paragraph_and_the_types():
    assert everything.name == "everything"
    assert everything.description == "Take one of everything, and say so."
    assert everything.parameters == {
        "type": "object",
        "additionalProperties": False,
        "required": list(ONE_OF_EACH),
        "properties": {
            "text": {"type": "string"},
            "number": {"type": "integer", "description": "how many"},
            "share": {"type": "number"},
            "sure": {"type": "boolean"},
            "size": {"type": "string", "enum": ["small", "large"], "description": "how big it is"},
            "tags": {
                "type": "array",
                "items": {"type": "string"},
                "description": "what it is called",
            },
            "day": {"type": "string", "format": "date"},
            "at": {"type": "string", "format": "time"},
            "note": {"type": "string"},
            "often": {"type": "integer", "default": 1},
            "level": {
                "type": "integer",
                "default": 5,
                "minimum": 0,
                "maximum": 10,
                "description": "how loud",
            },
        },
    }


def test_a_tool_without_arguments_has_a_schema_all_the_same():
    @tool(name="what-time")
    def now() -> str:
        """Tell the time."""
        return "Noon."

    assert now.name == "what-time"
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    assert now.parameters == schema
    assert use(now)[0] == Result("Noon.")


def test_a_parameter_may_have_any_name():
    @tool()
    def press(copy: str, model_config: int, schema: bool, title: str) -> str:
        """Press."""
        return f"{copy} {model_config} {schema} {title}"

    assert list(press.parameters["properties"]) == ["copy", "model_config", "schema", "title"]
    given = {"copy": "a", "model_config": 1, "schema": True, "title": "b"}
    assert use(press, given)[0].said == "a 1 True b"


def undocumented(text: str) -> str:
    return text


def untyped(text) -> str:
    """Echo."""


def catching(**more: str) -> str:
    """Catch."""


def by_place(text: str, /) -> str:
    """Echo."""


@pytest.mark.parametrize(
    "function, problem",
    [
        (undocumented, "docstring"),
        (untyped, "type of “text”"),
        (catching, "names"),
        (by_place, "names"),
    ],
)
def test_a_function_that_cannot_be_a_tool_is_refused_when_it_is_written(function, problem):
    with pytest.raises(TypeError, match=problem):
        tool()(function)


@pytest.mark.parametrize("name", ["turn it up", "", "a" * 65, "früh", "../up"])
def test_a_name_that_providers_refuse_is_refused_when_it_is_written(name):
    def echo(text: str) -> str:
        """Echo."""

    if name:
        with pytest.raises(TypeError, match="no name for a tool"):
            tool(name=name)(echo)


# What it is given


def test_arguments_come_as_the_types_they_were_asked_for():
    said = use(everything, ONE_OF_EACH)[0].said
    moment = datetime.date(2026, 3, 1), datetime.time(7, 30)
    assert said == repr(("hello", 3, 0.5, True, "small", ["a"], *moment, None, 1, 5))


@pytest.mark.parametrize(
    "change, as_if",
    [
        ({"number": "3"}, {}),
        ({"number": 3.0}, {}),
        ({"share": "0.5"}, {}),
        ({"sure": "true"}, {}),
        ({"tags": '["a"]'}, {}),
        ({"often": None}, {}),
        ({"note": None, "level": None}, {}),
        ({"text": 7}, {"text": "7"}),
        ({"at": "07:30:00"}, {}),
    ],
)
def test_what_models_often_do_is_understood(change, as_if):
    meant = use(everything, ONE_OF_EACH | as_if)[0]
    assert meant.worked
    assert use(everything, ONE_OF_EACH | change)[0] == meant


@pytest.mark.parametrize(
    "change, named",
    [
        ({"number": "all of them"}, "number"),
        ({"number": 2.5}, "number"),
        ({"number": None}, "number"),
        ({"number": [3]}, "number"),
        ({"number": {"$gt": 0}}, "number"),
        ({"share": float("nan")}, "share"),
        ({"share": "Infinity"}, "share"),
        ({"sure": "perhaps"}, "sure"),
        ({"size": "huge"}, "size"),
        ({"tags": "a"}, "tags"),
        ({"tags": "[" * 100_000}, "tags"),
        ({"tags": [["a"]]}, "tags"),
        ({"day": "tomorrow"}, "day"),
        ({"day": 5}, "day"),
        ({"day": "1700000000"}, "day"),
        ({"at": 15}, "at"),
        ({"level": 11}, "level"),
        ({"path": "../.."}, "path"),
        ({"__class__": "x"}, "__class__"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_done(change, named):
    result, event = use(everything, ONE_OF_EACH | change)
    assert not result.worked
    assert result.said.startswith(f"everything cannot be used so: {named}")
    assert "\n" not in result.said
    assert event.result == result.said


def test_an_argument_that_is_missing_is_named():
    assert "city: Field required" in use(weather)[0].said


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*ONE_OF_EACH, "note", "other"]), plain))
def test_no_arguments_whatever_do_more_than_fail(arguments):
    try:
        found = everything.checked(ONE_OF_EACH | arguments)
    except ToolError as error:
        assert str(error).startswith("everything cannot be used so:")
    else:
        assert list(found) == list(everything.parameters["properties"])
        assert type(found["number"]) is int and type(found["text"]) is str


@pytest.mark.parametrize("arguments", [{UNREADABLE: '{"city": "Be'}, "city", ["Bern"], None])
def test_arguments_that_are_no_json_object_are_told_to_be_so(arguments):
    with pytest.raises(ToolError, match="no JSON object"):
        Tools([weather]).prepared(ToolCall("weather", arguments))


def test_a_tool_that_does_not_exist_is_told_with_those_that_do():
    with pytest.raises(ToolError, match=r"no tool “launch” here. There are: weather\."):
        Tools([weather]).prepared(ToolCall("launch", {}))
    with pytest.raises(ToolError, match=r"There are: none\."):
        Tools().prepared(ToolCall("x" * 10_000, {}))


NASTY = ["../../etc/passwd", "; rm -rf ~", "$(reboot)", "`id`", "a\0b", "%00", "\\\\host\\share"]


@pytest.mark.parametrize("text", NASTY)
def test_paths_and_commands_are_text_like_any_other(text):
    seen = []

    @tool()
    def keep(text: str) -> str:
        """Keep it."""
        seen.append(text)
        return "Kept."

    assert use(keep, {"text": text})[0] == Result("Kept.")
    assert seen == [text]


# What comes of it


def test_a_coroutine_function_is_a_tool_too():
    @tool(outside=True)
    async def look(up: str) -> Result:
        """Look up."""
        await asyncio.sleep(0)
        return Result(f"{up}.", {"a": 1}, (Source("A", "https://a.example"),))

    result, event = use(look, {"up": "It"})
    assert (result.said, result.told) == ("It.", '{"a":1}')
    assert event.sources == (Source("A", "https://a.example"),)
    assert (look.stops, look.outside) == ("async", True)


@pytest.mark.parametrize(
    "given, said, told",
    [
        (None, "Done.", "Done."),
        (7, "7", "7"),
        ([1, "é"], '[1,"é"]', '[1,"é"]'),
        (Result("Two notes.", ["milk", "eggs"]), "Two notes.", '["milk","eggs"]'),
        (Result("Two notes.", "milk, eggs"), "Two notes.", "milk, eggs"),
        ({"day": datetime.date(2026, 3, 1)}, '{"day":"2026-03-01"}', '{"day":"2026-03-01"}'),
        (Result("Odd.", threading), "Odd.", json.dumps(str(threading))),
    ],
)
def test_whatever_it_gives_back_is_fit_for_an_ear_and_for_a_model(given, said, told):
    @tool()
    def give() -> object:
        """Give."""
        return given

    result, event = use(give)
    assert (result.said, result.told, result.worked) == (said, told, True)
    assert event.result == said


@pytest.mark.parametrize("text", ["word " * 200_000, "a" * 1_000_000])
def test_a_megabyte_is_cut_for_the_ear_and_for_the_model(text):
    @tool()
    def read() -> str:
        """Read."""
        return text

    @tool()
    def listed() -> Result:
        """List."""
        return Result("Many.", [text])

    result, event = use(read)
    assert SPOKEN // 2 < len(result.said) <= SPOKEN
    assert result.said.endswith(" … And so on.")
    assert event.result == result.said
    assert LONGEST // 2 < len(result.told) <= LONGEST
    assert result.told.endswith("(cut)")
    many = use(listed)[0]
    assert many.said == "Many."
    assert LONGEST // 2 < len(many.told) <= LONGEST


def circle():
    found = []
    found.append(found)
    return found


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        ValueError("the user said swordfish"),
        SystemExit(3),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        StopIteration(),
        RecursionError(),
    ],
)
def test_a_tool_that_raises_is_one_sentence_which_repeats_nothing(error, is_async):
    if is_async and isinstance(error, KeyboardInterrupt):
        pytest.skip("this is for the loop, and rightly so")

    @tool()
    def break_it() -> str:
        """Break."""
        raise error

    @tool(name="break_it")
    async def break_it_slowly() -> str:
        """Break."""
        raise error

    result, event = use(break_it_slowly if is_async else break_it)
    assert result == Result("break it went wrong and could not be done.", worked=False)
    assert event.result == result.said


def test_a_circle_instead_of_data_is_a_failure_like_any_other():
    @tool()
    def go() -> object:
        """Go round."""
        return circle()

    assert use(go)[0].said == "go went wrong and could not be done."


def test_a_tools_own_sentence_is_said():
    @tool()
    def find(city: str) -> str:
        """Find."""
        raise ToolError(f"I do not know where {city} is.")

    assert use(find, {"city": "Ys"})[0] == Result("I do not know where Ys is.", worked=False)


def test_a_tool_that_hangs_is_left_after_its_time():
    never = threading.Event()

    @tool(seconds=0.05)
    def wait_for_it() -> str:
        """Wait."""
        never.wait(20)
        return "late"

    @tool(seconds=0.05, name="wait_for_it")
    async def wait() -> str:
        """Wait."""
        await asyncio.Event().wait()

    for each in (wait_for_it, wait):
        result = use(each)[0]
        said = "wait for it took longer than 0.05 seconds, so I did not wait for it."
        assert result == Result(said, worked=False)
    never.set()


def test_a_tool_that_is_under_way_when_its_turn_ends_is_told_of():
    started, go, done = threading.Event(), threading.Event(), threading.Event()

    @tool()
    def send() -> str:
        """Send it."""
        started.set()
        go.wait(20)
        done.set()
        return "Sent."

    async def scene():
        thought = Asked()
        using = asyncio.create_task(Tools([send]).use(thought, ToolCall("send", {}), clock))
        await asyncio.to_thread(started.wait)
        using.cancel()
        await asyncio.wait([using])
        assert using.cancelled()
        return thought.told

    (used,) = asyncio.run(scene())
    go.set()
    assert done.wait(20), "a thread cannot be stopped"
    assert (used.call.tool, used.result, used.worked) == ("send", BEGUN, False)


def test_a_call_that_was_waiting_when_its_turn_ended_is_none():
    async def scene():
        thought = Asked(certain=False)
        using = asyncio.create_task(Tools([weather]).use(thought, ToolCall("weather", {}), clock))
        await asyncio.sleep(0)
        using.cancel()
        await asyncio.wait([using])
        return thought.told

    assert asyncio.run(scene()) == []


def test_nothing_is_done_before_the_turn_is_certain():
    done = []

    @tool()
    def act() -> str:
        """Act."""
        done.append(1)
        return "Done."

    async def scene():
        thought = Asked(certain=False)
        using = asyncio.create_task(Tools([act]).use(thought, ToolCall("act", {}), clock))
        await asyncio.wait([using], timeout=0.05)
        assert not using.done() and not done
        thought.certain.set()
        return await using

    assert asyncio.run(scene()).said == "Done."


# Which there are


def test_tools_that_come_later_take_no_name_that_is_taken():
    def named(name, said, **more):
        @tool(name=name, **more)
        def act() -> str:
            """Act."""
            return said

        return act

    asked = []

    async def more(taken):
        asked.append(set(taken))
        return [named("weather", "no"), named("open_app", "no"), named("stars", "yes")]

    async def scene():
        tools = Tools([weather, named("open_app", "own", off=True)], more=more)
        assert [each.name for each in tools] == ["weather"]
        await tools.ready()
        return tools

    tools = asyncio.run(scene())
    assert asked == [{"weather", "open_app"}]
    assert [each.name for each in tools] == ["weather", "stars"]
    assert "stars" in tools and "open_app" not in tools and len(tools) == 2
    assert next(iter(tools)) is weather
