"""The talk: whole, readable from the last row, and on this machine alone."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from helpers_browser import picture
from helpers_slides import REVEAL, ROOT, SLIDES, build, desk, figures, material, name_of, shown

SECTIONS = sorted((SLIDES / "sections").glob("*.md"))
NOTEBOOKS = sorted((ROOT / "notebooks" / "source").glob("[0-9][0-9]_*.py"))
FIGURES = sorted((ROOT / "notebooks" / "figures").glob("*.svg"))
READABLE = 18
"""Pixels on a screen of 1920 by 1080, at least, for whatever is to be read."""
AXE = next(iter(sorted((ROOT / ".envs").glob("axe-core-*/axe.min.js"))), None)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The slides as they are built, with reveal.js where it is here."""
    folder = tmp_path_factory.mktemp("slides")
    build.build(folder, "https://example.org/voice-kit", REVEAL if REVEAL.exists() else None)
    return folder


@pytest.fixture(scope="module")
def page(built):
    if not REVEAL.exists():
        pytest.skip("no reveal.js here: run `npm ci` in slides/")
    with shown(built) as open_page:
        assert len(open_page.slides) > 60
        open_page.add_script_tag(path=Path(__file__).with_name("slides_look.js"))
        yield open_page


class Read(HTMLParser):
    """Every element of a page, with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.all = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.all.append((tag, dict(attributes)))


def slides(folder):
    """Each slide's Markdown with what was made for it, by the number of its notebook."""
    text = (folder / "index.html").read_text(encoding="utf-8")
    found = []
    for stack in re.findall(r'<section id="(\d\d)".*?\n</section>\n', text, re.DOTALL):
        inside = text.partition(f'<section id="{stack}"')[2].partition("\n</section>\n")[0]
        texts = re.findall(r"<textarea data-template>(.*?)</textarea>", inside, re.DOTALL)
        found += [(stack, unescape(each).strip()) for each in texts]
    assert len(found) > 60
    return found


# What is said


def test_every_notebook_has_its_slides_under_the_same_number_and_name():
    assert len(NOTEBOOKS) >= 12
    assert [path.stem for path in SECTIONS] == [path.stem for path in NOTEBOOKS]


def test_every_section_begins_its_notebook_with_its_own_title():
    assert len(SECTIONS) >= 12
    for path in SECTIONS:
        source = (ROOT / "notebooks" / "source" / f"{path.stem}.py").read_text(encoding="utf-8")
        title = re.search(r"^# # (.+)$", source, re.MULTILINE)[1]
        text = path.read_text(encoding="utf-8")
        chapter = f'<!-- .slide: class="chapter" data-number="{path.name[:2]}" -->\n\n# {title}\n'
        assert chapter in text


def test_every_slide_has_something_for_the_speaker_and_is_about_one_thing():
    count = 0
    for path in SECTIONS:
        for slide in build.slides_of(path.read_text(encoding="utf-8")):
            count += 1
            shown_part, _, notes = slide.partition("\nNote:\n")
            assert len(notes.split()) >= 8, f"{path.name}: {shown_part[:60]}"
            assert len(re.findall(r"^##? ", shown_part, re.MULTILINE)) <= 1, shown_part
            said = re.sub(r"<[^>]*>|^@.*$|!?\[([^]]*)\]\([^)]*\)", r"\1", shown_part, flags=re.M)
            assert len(said.split()) <= 110, f"{path.name}: a wall of words: {shown_part[:60]}"
    assert count > 60


def test_what_was_asked_for_is_all_there():
    text = "\n".join(path.read_text(encoding="utf-8") for path in SECTIONS)
    for wanted in (
        *("figures/flow.svg", "figures/architecture.svg", "@cut short", "@cut long", "@gap 2"),
        *("@gap 0.8", "@gap 0.3", "@waterfall", "@lanes", "@qr", "Raise your hand", "CLI", "Web"),
        *("Open ASR Leaderboard", "LMArena", "TTS Arena", "emotion", "WebRTC VAD", "whisper.cpp"),
        *("WhisperX", "Voxtral", "Gemma", "Mixtral", "Piper", "KittenTTS", "What you need"),
        *("## References", "Alignment"),
    ):
        assert wanted in text, wanted
    assert len(re.findall(r"^## Deep dive", text, re.MULTILINE)) >= 4


def test_figures_of_speed_come_from_the_pages_that_measure_them(built):
    whole = (built / "index.html").read_text(encoding="utf-8")
    ours = desk.table_with(ROOT / "README.md", "pipecat")[0]
    assert f"{float(ours[1]):g} ms" in whole
    sizing = desk.table_with(
        ROOT / "voice_kit" / "serve" / "deploy" / "SIZING.md", "turns a second", whole=True
    )
    (row,) = [row for row in sizing if row[0] == "gateway processes"]
    assert "".join(f"&lt;td&gt;{cell}&lt;/td&gt;" for cell in row) in whole


def test_a_table_that_is_gone_is_missed(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("| a | b |\n|---|---|\n| 1 | 2 |\n")
    with pytest.raises(desk.SlideError, match=r"README\.md has no longer"):
        desk.table_with(page, "voice-kit")


def test_what_nothing_makes_is_refused_with_the_place(tmp_path, monkeypatch):
    section = tmp_path / "00_a.md"
    section.write_text("## A\n\n@clap twice\n")
    monkeypatch.setattr(build, "sections", lambda: [section])
    with pytest.raises(desk.SlideError, match=r"00_a\.md: “@clap twice”"):
        build.build(tmp_path / "out", "", None)


# What it is made of


def test_every_link_and_picture_and_sound_exists(built):
    found = set()
    for _, slide in slides(built):
        found.update(re.findall(r"\]\(([^)\s]+)\)", slide))
        for _, attributes in Read(slide).all:
            found.update(attributes[name] for name in ("src", "href") if name in attributes)
    local = {each for each in found if not urlsplit(each).scheme}
    assert len(local) > 30
    assert not [each for each in local if not (built / each).is_file()]
    assert not [each for each in found - local if not each.startswith("https://")]


def test_every_picture_has_words_and_every_sound_its_text(built):
    pictures = sounds = 0
    for _, slide in slides(built):
        for alt in re.findall(r"!\[([^]]*)\]\(", slide):
            pictures += 1
            assert len(alt.split()) >= 5, slide[:80]
        for tag, attributes in Read(slide).all:
            if tag == "img":
                assert len(attributes["alt"].split()) >= 5
            elif tag == "svg":
                pictures += 1
                assert attributes["role"] == "img"
                assert len(attributes["aria-label"].split()) >= 3
            elif tag == "audio":
                sounds += 1
        assert slide.count('class="words">') == slide.count("<audio")
        assert not re.search(r'class="words">\s*<', slide)
        assert slide.count('aria-label="Play: ') == slide.count("<audio")
    assert pictures > 30
    assert sounds > 20


def test_the_figures_are_as_they_are_drawn_and_a_changed_one_is_noticed(tmp_path, capsys):
    assert len(FIGURES) >= 12
    assert figures.main(["--check"]) == 0, capsys.readouterr().out
    figures.main([], tmp_path)
    file = tmp_path / "flow.svg"
    file.write_text(file.read_text(encoding="utf-8").replace("Record", "Rekord"))
    (tmp_path / "mine.svg").write_text("<svg/>")
    assert figures.main(["--check"], tmp_path) == 1
    said = capsys.readouterr().out
    assert "flow.svg is not as" in said and "mine.svg is drawn by nobody" in said


@pytest.mark.parametrize("file", FIGURES, ids=lambda file: file.stem)
def test_a_figure_says_what_it_shows_and_is_on_a_slide(file):
    text = file.read_text(encoding="utf-8")
    assert re.search(r"<title>.{10,}</title><desc>.{40,}</desc>", text)
    used = [path for path in SECTIONS if f"figures/{file.name})" in path.read_text("utf-8")]
    assert used


def test_nothing_of_revealjs_is_ours_and_the_lock_names_no_host():
    lock = json.loads((SLIDES / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert list(packages) == ["node_modules/reveal.js"]
    for each in packages.values():
        assert each["integrity"].startswith("sha512-")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        assert "://" not in (SLIDES / name).read_text(encoding="utf-8"), name
    tracked = subprocess.run(
        ["git", "ls-files", "slides"], capture_output=True, text=True, check=False, cwd=ROOT
    ).stdout.split("\n")
    assert not [name for name in tracked if "reveal" in name or "node_modules" in name]


def test_the_recording_is_small_and_can_be_read(built):
    folder = SLIDES / "recorded"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 200_000
    made = desk.Desk(built, "")
    assert {type(event).__name__ for event in made.events} >= {"PlaybackPaused", "Interrupted"}
    last = max(getattr(event, "at", 0.0) for event in made.events)
    assert abs(made.conversation.seconds - last) < 3


def test_a_sentence_is_cut_off_by_the_short_wait_and_not_by_the_long_one(built):
    made = desk.Desk(built, "")
    assert "ten minutes" not in material.make(made, "@cut short")
    assert "ten minutes" in material.make(made, "@cut long")


def test_the_sphere_does_what_the_assistant_did(built):
    made = material.make(desk.Desk(built, ""), "@lanes 0 11")
    moments = json.loads(unescape(re.search(r'data-clip="([^"]*)"', made)[1]))["moments"]

    def state(second):
        return [what for at, what in moments if at <= second][-1]

    asked = {0.2: "idle", 1.5: "listening", 2.7: "thinking", 3.5: "speaking"}
    asked |= {4.4: "listening", 6.0: "speaking", 10.9: "idle"}  # it is told “right” at 4.2 s
    assert {second: state(second) for second in asked} == asked


def test_the_silences_are_as_long_as_they_say(built):
    from voice_kit.audio.files import read
    from voice_kit.sounds import clip

    question = clip("question_latency").seconds
    lengths = {}
    for silence in ("2", "0.8", "0.3"):
        sound = read(built / "sounds" / f"gap_{silence.replace('.', '_')}.wav")
        start = round((question + 0.02) * sound.rate)
        loud = next(n for n, s in enumerate(sound.samples[start:]) if abs(s) > 0.02)
        lengths[silence] = loud / sound.rate
    for silence, measured in lengths.items():
        assert measured == pytest.approx(float(silence), abs=0.12), lengths


def test_the_repository_is_a_setting_and_its_absence_is_told(built, tmp_path):
    there = material.make(desk.Desk(tmp_path, "https://example.org/kit"), "@qr")
    assert 'aria-label="QR code: https://example.org/kit"' in there and "<path" in there
    assert "make slides REPOSITORY=" in material.make(desk.Desk(tmp_path, ""), "@qr")
    assert "git clone https://example.org/voice-kit" in "".join(text for _, text in slides(built))


def test_without_revealjs_one_sentence_says_what_to_type(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(build, "REVEAL", tmp_path / "nothing")
    monkeypatch.setattr(build.build, "__defaults__", (build.OUT, "", tmp_path / "nothing"))
    assert build.main(["--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "make slides" in said


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")
def test_what_make_slides_runs_shows_them_until_ctrl_c(tmp_path):
    if not REVEAL.exists():
        pytest.skip("no reveal.js here: make slides")
    command = [sys.executable, SLIDES / "build.py", "--serve", "--port", "0", "--out", tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as shown:
        told = next(line for line in shown.stdout if line.startswith("The slides: "))
        address = re.search(r"http://127\.0\.0\.1:\d+/", told)[0]
        with urlopen(address) as page, urlopen(f"{address}reveal/reveal.js") as code:
            assert b"data-markdown" in page.read()
            assert len(code.read()) > 10_000
        shown.send_signal(signal.SIGINT)
        assert shown.wait(20) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no links for everybody on Windows")
def test_without_npm_make_says_in_one_sentence_how_to_get_it(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "sh", "cat", "uname", "awk", "df"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    make = shutil.which("make")
    if make is None or not (tools / "bash").exists():
        pytest.skip("no make here")
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "slides").mkdir()
    (tmp_path / "slides" / "package-lock.json").write_text("{}")
    done = subprocess.run(
        [make, "slides/node_modules/.package-lock.json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PATH": str(tools), "HOME": str(tmp_path)},
    )
    assert done.returncode != 0
    assert "The slides need npm" in done.stderr and "nodejs.org" in done.stderr


# How it looks, in Chromium at 1920 by 1080


@pytest.mark.needs("chromium")
def test_each_slide_fits_its_frame_and_all_its_words_can_be_read(page):
    smallest = min(
        float(size)
        for file in FIGURES
        for size in re.findall(r'font-size="([\d.]+)"', file.read_text(encoding="utf-8"))
    )
    found = page.evaluate("(asked) => everywhere(asked)", [page.slides, READABLE, smallest])
    found = [f"{name_of(place)}: {what}" for place, what in found]
    assert not found, "\n".join(found)


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("file", FIGURES, ids=lambda file: file.stem)
def test_words_in_a_figure_stay_in_their_place(page, file):
    text = file.read_text(encoding="utf-8")
    wrong = page.evaluate("(text) => wrongIn(text)", text)
    assert not wrong, "\n".join(wrong)


@pytest.mark.needs("chromium")
def test_every_sound_can_be_played_by_button_and_by_key_and_the_line_moves_with_it(page):
    silent = page.evaluate(
        """async () => {
          const all = [...document.querySelectorAll("audio")];
          await Promise.all(all.map((audio) => audio.readyState ? 0 : new Promise((done) => {
            audio.addEventListener("loadedmetadata", done);
            audio.addEventListener("error", done);
            audio.load();
          })));
          return all.filter((audio) => !(audio.duration > 0.2)).map((audio) => audio.src);
        }"""
    )
    assert not silent
    page.evaluate("() => Reveal.slide(6, 1)")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "() => /\\(([\\d.]+)/.exec(document.querySelector('.playing .head')"
        "?.getAttribute('transform'))?.[1] > 20"
    )
    page.keyboard.press("Enter")
    page.wait_for_selector(".playing", state="detached")
    page.locator("section.present .play").nth(2).click()
    page.wait_for_selector(".playing:nth-of-type(3)")
    page.keyboard.press("PageDown")
    page.wait_for_selector(".playing", state="detached")
    assert page.evaluate("() => Reveal.getIndices().v") == 2


@pytest.mark.needs("chromium")
def test_a_button_with_the_focus_plays_and_does_not_turn_the_page(page):
    page.evaluate("() => Reveal.slide(6, 1)")
    page.locator("section.present .play").first.focus()
    page.keyboard.press("Space")
    page.wait_for_selector(".playing")
    assert page.evaluate("() => Reveal.getIndices().v") == 1
    page.keyboard.press("Space")
    page.wait_for_selector(".playing", state="detached")


@pytest.mark.needs("chromium")
@pytest.mark.skipif(AXE is None, reason="no axe-core here: run make test")
def test_the_slides_break_no_rule_of_wcag_in_light_nor_in_dark(page):
    page.evaluate(AXE.read_text(encoding="utf-8"))
    rules = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa']}"
    found = []
    for dark in (False, True):
        page.evaluate("(dark) => document.documentElement.classList.toggle('dark', dark)", dark)
        for place in ([0, 1], [3, 3], [4, 4], [6, 4], [13, 8]):
            page.evaluate("(place) => Reveal.slide(...place)", place)
            result = page.evaluate(f"() => axe.run(Reveal.getCurrentSlide(), {rules})")
            found += [
                f"{name_of(place)}{' dark' * dark}: {each['id']}: {node['html'][:90]}"
                for each in result["violations"]
                for node in each["nodes"]
            ]
        picture(page, f"slide_13_9{'_dark' * dark}")
    page.evaluate("() => document.documentElement.classList.remove('dark')")
    assert not found, "\n".join(found)


@pytest.mark.needs("chromium")
def test_pictures_of_some_slides_to_look_at(page):
    places = [[0, 0], [0, 1], [0, 2], [2, 2], [6, 1], [6, 4]]
    for place in places:
        page.evaluate("(place) => Reveal.slide(...place)", place)
        picture(page, f"slide_{name_of(place)}")


@pytest.mark.needs("chromium")
def test_no_slide_complains_or_asks_another_machine(page):
    page.evaluate("(slides) => slides.forEach((place) => Reveal.slide(...place))", page.slides)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(done))")
    assert not page.complaints.all, "\n".join(page.complaints.all)


@pytest.mark.needs("chromium")
@pytest.mark.soak
def test_the_talk_is_printed_with_a_page_for_each_slide(built, tmp_path):
    if os.environ.get("SOAK") != "whole":
        pytest.skip("printing takes a quarter of a minute: make soak")
    if not REVEAL.exists():
        pytest.skip("no reveal.js here: run `npm ci` in slides/")
    pdf = tmp_path / "talk.pdf"
    with ThreadPoolExecutor() as thread:  # in this one a browser may be open
        thread.submit(build.print_pdf, built / "index.html", pdf).result()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes())) == len(slides(built))
