"""A clip that is recorded with ipywebrtc in JupyterLab reaches the kernel as an `Audio`."""

import json

import pytest
from helpers_browser import fake_microphone
from helpers_jupyter import lab, notebook

pytestmark = [pytest.mark.needs("chromium", "jupyter"), pytest.mark.timeout(300)]


def test_a_recording_of_ipywebrtc_reaches_the_kernel(tmp_path):
    pytest.importorskip("ipywebrtc", reason="no ipywebrtc in this Python: run make test")
    fake_microphone(tmp_path / "mic.wav", 0.2, "question_vad", 60.0)
    path = notebook(
        tmp_path / "clip.ipynb",
        "from voice_kit.show.recorder import ClipRecorder\nrecorder = ClipRecorder()\nrecorder",
    )
    with lab(path, tmp_path / "mic.wav") as opened:
        opened.page.set_default_timeout(60_000)
        opened.run_all()
        button = opened.page.locator(".jp-OutputArea-output button:has(.fa-circle)").first
        button.click()
        opened.page.wait_for_timeout(2500)  # that much of it is recorded
        opened.python("import asyncio\narriving = asyncio.ensure_future(recorder.recorded(60))")
        button.click()
        said = opened.python(
            "import json, numpy as np\nclip = await arriving\n"
            "print(json.dumps([clip.seconds, clip.rate, float(np.abs(clip.samples).max())]))"
        )
    seconds, rate, loudest = json.loads(said)
    assert 1 < seconds < 60
    assert rate == 48_000
    assert loudest > 0.02, "only silence was recorded"
