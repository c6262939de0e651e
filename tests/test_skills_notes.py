"""Notes and lists: kept whole, inside their folder."""

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from helpers_skills import AtHome, Clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voice_kit.think.skills.notebook import LONGEST, Notebook
from voice_kit.think.skills.pages import LARGEST, Folder
from voice_kit.think.skills.room import Room
from voice_kit.think.tools import ToolError
from voice_kit.types import ToolCall


@pytest.fixture
def home(tmp_path):
    return AtHome(tmp_path)


def test_a_note_is_written_as_markdown_that_people_can_read(home):
    assert home.say("Take a note: buy Milk!") == "Noted."
    home.say("make a note that the Wi-Fi password is Tulip")
    assert (home.folder / "notes" / "notes.md").read_text() == (
        "# Notes\n\n- 2026-11-21 08:30 buy Milk\n- 2026-11-21 08:30 the Wi-Fi password is Tulip\n"
    )


def test_notes_are_read_back_the_last_ones_only(home):
    assert home.say("read my notes") == "There are no notes."
    for number in range(1, 8):
        home.say(f"take a note number {number}")
    assert home.say("read my notes") == (
        "You have 7 notes. The last 5: number 3. number 4. number 5. number 6. number 7."
    )
    assert home.say("read my last note") == "You have 7 notes. The last one: number 7."
    assert home.say("read my last two notes").endswith("The last 2: number 6. number 7.")


def test_lists_are_notebooks_of_their_own(home):
    assert home.say("what's on my shopping list") == "Your shopping list is empty."
    assert home.say("add Oat Milk to my shopping list") == "It is on your shopping list."
    home.say("put eggs on the shopping list")
    assert home.say("what's on my shopping list") == "Oat Milk and eggs."
    assert (home.folder / "notes" / "shopping.md").read_text() == (
        "# Shopping\n\n- Oat Milk\n- eggs\n"
    )
    assert home.say("read my notes") == "There are no notes."


def test_a_list_without_a_name_is_one_of_its_own(home):
    assert home.say("what's on my list") == "Your list is empty."
    assert home.say("add Oat Milk to my list") == "It is on your list."
    assert home.say("read me the list") == "Oat Milk."
    assert home.say("what's on my shopping list") == "Your shopping list is empty."
    asked = home.asked("remove the last item from my list")
    assert asked == "Shall I delete the last on your list: “Oat Milk”?"
    assert home.say("remove the last item from my list") == "Deleted."


def test_the_last_note_is_deleted_after_a_question_that_names_it(home):
    home.say("take a note one")
    home.say("take a note two")
    assert home.asked("delete the last note") == "Shall I delete your last note: “two”?"
    assert home.say("delete the last note") == "Deleted."
    assert home.say("read my notes") == "You have 1 note: one."


def test_only_the_note_that_was_asked_about_is_deleted(home):
    home.say("take a note one")
    home.asked("delete the last note")
    home.say("take a note two")
    assert home.say("delete the last note") == "The last note is another one now. Ask again."
    assert "one. two." in home.say("read my notes")


def test_nothing_is_deleted_without_the_question(home):
    home.say("take a note one")
    assert home.say("delete the last note") == "There is no note to delete."
    assert home.say("read my notes") == "You have 1 note: one."


def test_there_is_nothing_to_delete(home):
    assert home.asked("delete the last note") == ""
    assert home.say("delete the last note") == "There is no note to delete."


def test_what_people_write_themselves_stays_as_it_is(home):
    file = home.folder / "notes" / "notes.md"
    file.parent.mkdir()
    file.write_bytes(b"My own words.\r\n\r\n- by hand\r\n  and more\r\n\r\n## Later\r\n")
    home.say("take a note new")
    home.asked("delete the last note")
    home.say("delete the last note")
    kept = file.read_bytes()
    assert kept.startswith(b"My own words.\r\n\r\n- by hand\r\n  and more\r\n\r\n## Later")
    assert b"new" not in kept


OUTSIDE = [
    *("../secret", "..", ".", "/etc/passwd", "a/../../b", "~", "~root", "a\0b", "C:\\x", "..\\x"),
    *("", " ", "-x", "con", "NUL", "com1", "x" * 200, "notes.md", ".hidden", "a:b", "$(reboot)"),
    *("; rm -rf /", "`id`", "|sh", "a\nb/../c", "%2e%2e%2f", "‥/x", "／etc"),
]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("tool", ["add_note", "read_notes", "delete_last_note"])
def test_a_name_never_leads_out_of_the_folder(home, tool, name):
    before = sorted(home.folder.rglob("*"))
    text = {"text": "x"} if tool == "add_note" else {}
    result = home.use(ToolCall(tool, {"notebook": name, **text}))
    assert not result.worked
    assert [each for each in home.folder.rglob("*") if each not in before] == []


@given(st.text(max_size=50))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_whatever_its_name_a_notebook_is_in_the_folder(tmp_path, name):
    notebook = Notebook(Folder(tmp_path / "notes"), Room(Clock()))
    try:
        notebook.add("x", name)
    except ToolError:
        pass
    else:
        assert notebook.notes(name)[-1] == "x"
    assert {each.parent for each in tmp_path.rglob("*.md")} <= {tmp_path / "notes"}


@given(st.text(min_size=1, max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_a_note_comes_back_as_one_line_whatever_it_holds(tmp_path, text):
    notebook = Notebook(Folder(tmp_path), Room(Clock()))
    before = len(notebook.notes())
    try:
        notebook.add(text)
    except ToolError:
        assert not text.split() or not text.isprintable()
    else:
        assert len(notebook.notes()) == before + 1
        assert notebook.notes()[-1] == " ".join(text.split())


needs_links = pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="no links")


@needs_links
def test_a_link_is_neither_followed_nor_replaced(home):
    secret = home.folder / "secret.txt"
    secret.write_text("- my secret\n")
    notes = home.folder / "notes"
    notes.mkdir()
    (notes / "notes.md").symlink_to(secret)
    for words in ("read my notes", "take a note hello"):
        assert "cannot be read" in home.say(words)
    assert home.asked("delete the last note") == ""
    assert secret.read_text() == "- my secret\n"
    assert (notes / "notes.md").is_symlink()


@needs_links
def test_a_pipe_of_that_name_does_not_hang_us(home):
    notes = home.folder / "notes"
    notes.mkdir()
    os.mkfifo(notes / "notes.md")
    assert "cannot be read" in home.say("read my notes")


def test_a_huge_or_unreadable_file_is_said(home):
    notes = home.folder / "notes"
    notes.mkdir()
    (notes / "notes.md").write_bytes(b"\xff\xfe\x00")
    assert "notes.md cannot be read" in home.say("read my notes")
    (notes / "notes.md").write_bytes(b"x" * (LARGEST + 1))
    assert "cannot be read" in home.say("take a note hello")


def test_a_notebook_that_is_full_takes_no_more_and_can_still_be_read(home):
    notes = home.folder / "notes"
    notes.mkdir()
    (notes / "notes.md").write_text("- " + "x" * (LARGEST - 10) + "\n")
    assert "notebook is full" in home.say("take a note hello there")
    assert len(home.use(ToolCall("read_notes", {})).data) == 1


@pytest.mark.parametrize("text", ["", "  ", "x" * (LONGEST + 1)])
def test_a_note_has_a_length(home, text):
    assert not home.use(ToolCall("add_note", {"text": text})).worked


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from helpers_skills import Clock
from voice_kit.think.skills.notebook import Notebook
from voice_kit.think.skills.pages import Folder
from voice_kit.think.skills.room import Room
from voice_kit.think.tools import ToolError
notebook = Notebook(Folder(Path({folder!r})), Room(Clock()))
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
try:
    notebook.add("x" * 300)
except ToolError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files there")
def test_on_a_full_disk_the_notes_stay_whole(tmp_path):
    notebook = Notebook(Folder(tmp_path), Room(Clock()))
    notebook.add("before")
    code = FULL.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "the disk is full. Make room" in done.stdout
    assert notebook.notes() == ["before"]
    assert sorted(each.name for each in tmp_path.iterdir()) == [".lock", "notes.md"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "notes").write_text("a file")
    home = AtHome(tmp_path)
    assert "the folder cannot be written" in home.say("take a note hello")


def test_threads_do_not_lose_each_others_notes(tmp_path):
    notebook = Notebook(Folder(tmp_path), Room(Clock()))
    work = [threading.Thread(target=notebook.add, args=(f"note {n}",)) for n in range(40)]
    for each in work:
        each.start()
    for each in work:
        each.join()
    assert sorted(notebook.notes()) == sorted(f"note {n}" for n in range(40))


def write_twenty(folder, name):
    notebook = Notebook(Folder(folder), Room(Clock()))
    for number in range(20):
        notebook.add(f"{name} {number}")


@pytest.mark.skipif(sys.platform == "win32", reason="one process at a time there")
def test_processes_do_not_lose_each_others_notes(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    work = [spawn.Process(target=write_twenty, args=(tmp_path, name)) for name in "ab"]
    for each in work:
        each.start()
    for each in work:
        each.join()
    assert len(Notebook(Folder(tmp_path), Room(Clock())).notes()) == 40
