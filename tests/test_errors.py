"""The family of errors, and the check that most often raises one."""

import sys

import pytest

from voice_kit.errors import MissingEngineError, need


def test_what_is_installed_is_not_missed_and_not_loaded():
    sys.modules.pop("this", None)
    need("zen", "this", "json", fix="never said")
    assert "this" not in sys.modules


@pytest.mark.parametrize("packages", [("no_such_package",), ("json", "no_such_package")])
def test_one_package_that_is_not_installed_is_missed_with_the_fix(packages):
    with pytest.raises(MissingEngineError, match=r"Speech is not .*Try: pip install speech$"):
        need("Speech", *packages, fix="pip install speech")
