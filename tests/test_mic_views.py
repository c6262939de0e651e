"""The browser's microphone, its views, its meter and its options, in a real page."""

import asyncio
import contextlib

import pytest

pytest.importorskip("anywidget", reason="no anywidget in this Python: run make test")

from helpers_page import Page, browser, in_the_browser, the_browser_is_closed  # noqa: F401

from voice_kit.show.mic import Mic

pytestmark = pytest.mark.needs("chromium")

KEEP_THE_STREAM = """
const media = navigator.mediaDevices, real = media.getUserMedia.bind(media);
window.wishes = [];
media.getUserMedia = async (wish) => {
  wishes.push(wish.audio);
  return (window.stream = await real(wish));
};
"""
TRACKS = "stream.getTracks().map((track) => track.readyState)"


@contextlib.asynccontextmanager
async def page_with(mic=None):
    """A microphone's page, whose clock goes on when it is told to and as time does."""
    mic = mic or Mic()
    async with browser() as chrome, Page.open(mic, chrome, "mic.js", before=KEEP_THE_STREAM) as far:
        await far.page.clock.install()
        yield mic, far
        assert not far.errors


async def becomes(mic, state) -> None:
    changed = asyncio.Event()
    mic.observe(lambda _: changed.set(), "state")
    async with asyncio.timeout(20):
        while mic.state != state:
            await changed.wait()
            changed.clear()


async def hears(mic, count=3) -> None:
    """Return once so many frames have come."""
    async with asyncio.timeout(20):
        async for _ in mic:
            count -= 1
            if not count:
                return
    raise AssertionError(f"the microphone ended: {mic.message}")


def test_a_microphone_that_no_view_shows_is_let_go_and_listening_ends():
    async def scene():
        async with page_with() as (mic, far):
            listening = asyncio.create_task(hears(mic, 10_000))
            await far.page.click("text=Start the microphone")
            await hears(mic)
            await far.page.evaluate("hide()")  # the output was cleared
            await hears(mic)  # a view may come yet
            await far.page.clock.run_for(3000)
            await becomes(mic, "off")
            assert await far.page.evaluate(TRACKS) == ["ended"]
            assert "Nothing showed" in mic.message
            with pytest.raises(AssertionError, match="the microphone ended"):
                await listening
            await far.page.evaluate("void look()")  # shown again: it says why, and can go on
            assert "Nothing showed" in await far.page.inner_text("[role=status]")
            await far.page.click("text=Start the microphone")
            await hears(mic)

    in_the_browser(scene())


def test_a_microphone_whose_view_was_only_moved_goes_on():
    async def scene():
        async with page_with() as (mic, far):
            await far.page.click("text=Start the microphone")
            await hears(mic)
            await far.page.evaluate("hide()")
            await far.page.clock.run_for(2000)
            await far.page.evaluate("void (window.hide = look())")
            await far.page.clock.run_for(2000)
            await hears(mic)
            await far.page.evaluate("hide()")  # and again: the wait begins anew
            await far.page.clock.run_for(2000)
            await far.page.evaluate("void (window.hide = look())")
            await far.page.clock.run_for(10_000)
            await hears(mic)
            assert (mic.state, mic.lost) == ("live", 0)
            assert await far.page.inner_text("button") == "■ Stop the microphone"

    in_the_browser(scene())


def test_one_view_of_two_is_enough():
    async def scene():
        async with page_with() as (mic, far):
            await far.page.evaluate("void (window.hideSecond = look())")
            await far.page.locator("button").nth(1).click()
            await hears(mic)
            await far.page.evaluate("hide()")
            await far.page.clock.run_for(10_000)
            await hears(mic)
            await far.page.evaluate("hideSecond()")
            await far.page.clock.run_for(10_000)
            await becomes(mic, "off")

    in_the_browser(scene())


def test_a_tab_that_closes_its_view_leaves_the_microphone_of_another_tab():
    async def scene():
        async with page_with() as (mic, far):
            await far.page.click("text=Start the microphone")
            await hears(mic)
            here = mic.page
            elsewhere = {"page": "another", "run": "another/1", "message": ""}
            for state in ("asking", "live"):
                mic._handle_custom_msg({"kind": "state", "state": state, **elsewhere}, [])
            await far.page.wait_for_function("stream.getTracks()[0].readyState === 'ended'")
            await far.page.evaluate("hide()")
            await far.page.clock.run_for(10_000)
            await far.page.evaluate("0")  # what it said has come
            assert (mic.page, mic.state) == ("another", "live") != (here, "off")

    in_the_browser(scene())
