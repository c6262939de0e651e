"""What of the settings is written down with a recording."""

import pytest

from voice_kit.converse.public import public
from voice_kit.settings import Settings


@pytest.mark.parametrize("name", ["api_key", "apiKey", "API_KEY", "Token", "clientSecret"])
def test_no_key_in_an_address_is_written_down_however_it_is_spelt(name):
    address = f"http://example.org/v1?{name}=abcdef&model=small"
    shown = public(Settings().changed({"options.openai.at": address}))
    assert shown["options"]["openai"]["at"] == "http://example.org/v1?model=small"
