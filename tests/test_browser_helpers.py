"""What the browser tests stand on: a page of ours complains aloud, and a blank picture is seen."""

import pytest
from helpers_browser import (
    browser,
    fake_microphone,
    opened,
    overlaps,
    page_for,
    picture,
    served,
    until,
)

from voice_kit.audio import files

pytestmark = pytest.mark.needs("chromium")

BOX = "<div class='box' style='position:absolute;left:{}px;top:0;width:50px;height:50px'>x</div>"


@pytest.fixture(scope="module")
def chromium():
    with browser() as found:
        yield found


def test_a_module_is_there_by_its_name(chromium, tmp_path):
    (tmp_path / "sum.js").write_text("export const add = (a, b) => a + b;", encoding="utf-8")
    with page_for(tmp_path / "sum.js", "<p>Sums</p>", chromium=chromium) as page:
        assert page.evaluate("module.add(1, 2)") == 3
        assert page.evaluate("isSecureContext && !!navigator.mediaDevices")
        assert page.inner_text("p") == "Sums"


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("console.error('a mishap')", "a mishap"),
        ("setTimeout(() => { throw new Error('not expected') })", "not expected"),
        ("Promise.reject(new Error('nobody caught it'))", "nobody caught it"),
        ("fetch('http://example.org/x').catch(() => 0)", "another host"),
        (
            "document.body.append(new Image()), document.querySelector('img').src = '//x.invalid'",
            "x",
        ),
        ("new WebSocket('ws://example.org/')", "another host"),
    ],
)
def test_what_a_page_complains_of_fails_the_test(chromium, tmp_path, wrong, complaint):
    with (
        served(tmp_path, "<link rel='icon' href='data:,'>") as address,
        pytest.raises(AssertionError, match=complaint),
        opened(chromium, address) as page,
    ):
        page.evaluate(f"() => {{ {wrong} }}")
        until(page, lambda: page.complaints.all)


def test_a_blank_picture_and_what_lies_on_each_other_are_seen(chromium, tmp_path):
    empty = served(tmp_path, "<link rel='icon' href='data:,'>")
    with empty as address, opened(chromium, address) as page:
        with pytest.raises(AssertionError, match="blank"):
            picture(page, "blank")
        page.set_content(BOX.format(0) + BOX.format(60))
        picture(page, "two_boxes", least=0.0001)
        assert not overlaps(page, ".box")
        page.set_content(BOX.format(0) + BOX.format(40))
        assert len(overlaps(page, ".box")) == 1


def test_the_fake_microphone_says_where_each_sound_lies(tmp_path):
    places = fake_microphone(tmp_path / "mic.wav", 0.5, "answer_yes", 1.0, "answer_no")
    sound = files.read(tmp_path / "mic.wav")
    assert sound.rate == 48_000
    assert sound.seconds == pytest.approx(places[-1][1], abs=0.001)
    assert places[0] == (0, 0.5)
    assert places[2][1] - places[2][0] == pytest.approx(1)
    began, ended = (round(second * sound.rate) for second in places[1])
    assert abs(sound.samples[:began]).max() < 0.001 < abs(sound.samples[began:ended]).max()
