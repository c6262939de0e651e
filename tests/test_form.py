"""The panel's form in a real browser: by keyboard, in words, and beside another one."""

from pathlib import Path

import pytest
from helpers_browser import overlaps, page_for, screenshot

FORM = Path(__file__).parents[1] / "voice_kit" / "show" / "form.js"

SETUP = """async () => {
  window.said = [];
  const options = { onset: (...change) => said.push(change), onpress: (name) => said.push(name) };
  const other = await import("./form.js?once-more");  // as each widget has a module of its own
  window.first = {
    title: "", fields: [], values: {}, busy: false, status: "Loading sphinx …", problem: "",
    buttons: [
      { name: "start", label: "Start", pressed: null, enabled: true, help: "Begin." },
      { name: "hush", label: "Be quiet", pressed: null, enabled: false, help: "" },
      { name: "record", label: "Record", pressed: true, enabled: true, help: "" },
    ],
  };
  window.second = {
    title: "Whose turn it is", buttons: [], values: { "hear.stop": 0.5, "stt": "sphinx" },
    busy: false, status: "", problem: "<b>hear.stop</b> cannot be 100.",
    fields: [
      { name: "hear.stop", label: "Quiet that ends your turn", unit: "seconds", low: 0.1, high: 2,
        step: 0.05, help: "Where the judge is in doubt.", kind: "slider" },
      { name: "stt", label: "Writes it down", help: "", kind: "choice", options: [
        { value: "sphinx", label: "sphinx", here: true },
        { value: "energy", label: "another", here: true },
        { value: "whisper", label: "whisper is not here", here: false } ] },
    ],
  };
  window.third = { ...second, title: "Engines", problem: "",
    fields: [{ ...second.fields[1], name: "tts", label: "Says it" }], values: { tts: "sphinx" } };
  const place = document.querySelector("main");
  window.one = module.form(place, options);
  window.two = module.form(place, options);
  window.three = other.form(place, options);
  one.update(first); two.update(second); three.update(third);
}"""


@pytest.mark.needs("chromium")
def test_a_form_is_used_by_keyboard_and_says_what_it_shows():
    with page_for(FORM) as page:
        page.evaluate(SETUP)
        said = lambda: page.evaluate("said.splice(0)")  # noqa: E731

        for summary in page.locator("summary").all():
            summary.focus()
            page.keyboard.press("Enter")
        slider = page.get_by_role("slider", name="Quiet that ends your turn")
        slider.focus()
        assert page.evaluate("document.activeElement.type") == "range"
        page.keyboard.press("ArrowRight")
        assert said() == [["hear.stop", 0.55]]
        assert slider.get_attribute("aria-valuetext") == "0.55 seconds"
        page.evaluate("two.update(second)")  # it was refused
        assert slider.input_value() == "0.5"

        page.get_by_role("combobox", name="Says it").select_option("energy")
        assert said() == [["tts", "energy"]]
        assert page.get_by_role("combobox", name="Writes it down").input_value() == "sphinx"
        assert page.get_by_role("option", name="whisper is not here").first.is_disabled()

        page.get_by_role("button", name="Start").focus()
        page.evaluate("first.buttons[0].label = 'Stop'; one.update(first)")
        page.keyboard.press("Enter")  # the same button has the focus still
        page.get_by_role("button", name="Be quiet").click(force=True)  # it can be reached
        page.get_by_role("button", name="Record", pressed=True).press(" ")
        assert said() == ["start", "record"]

        assert page.get_by_role("status").first.inner_text() == "Loading sphinx …"
        assert page.get_by_role("alert").inner_text() == "<b>hear.stop</b> cannot be 100."
        ids = page.eval_on_selector_all("[id]", "all => all.map((each) => each.id)")
        assert len(ids) == len(set(ids)) >= 4
        fields = page.locator("label, select, input, button, summary").count()
        assert fields >= 10 and not overlaps(page, "label, select, input, button, .help")
        screenshot(page, "form")
        page.evaluate("one.remove(); two.remove(); three.remove()")
        assert page.locator(".vk-form").count() == 0
