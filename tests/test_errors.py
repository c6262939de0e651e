"""The family of errors, and the check that most often raises one."""

import sys

import pytest

from voice_kit import errors
from voice_kit.errors import MissingEngineError, install, need


def test_what_is_installed_is_not_missed_and_not_loaded():
    sys.modules.pop("this", None)
    need("zen", "this", "json", fix="never said")
    assert "this" not in sys.modules


@pytest.mark.parametrize("packages", [("no_such_package",), ("json", "no_such_package")])
def test_one_package_that_is_not_installed_is_missed_with_the_fix(packages):
    with pytest.raises(MissingEngineError, match=r"Speech is not .*Try: pip install speech$"):
        need("Speech", *packages, fix="pip install speech")


def test_a_missing_extra_is_one_command_in_the_checkout_and_another_without_one(
    tmp_path, monkeypatch
):
    assert install("workshop").startswith("make lab")
    assert install("piper").startswith("pip install -c constraints.txt -e '.[piper]'")
    monkeypatch.setattr(errors, "__file__", str(tmp_path / "voice_kit" / "errors.py"))
    assert install("piper") == "pip install 'voice-kit[piper]'"
