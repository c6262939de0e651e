# %% [markdown]
# # Check your setup
#
# **You will build** nothing yet: you will see what this machine can do.
# **Needs** nothing but this notebook. **Time** 10 minutes.
#
# **Hear → think → speak**: you are here, before the first word.
#
# Is this your first notebook? *Shift* and *Enter* together run a cell and go on to the next; *Run →
# Run All Cells* runs them all.

# %% tags=["parameters"]
LIVE = False  # True when you sit at a machine with a microphone
ENGINES = "offline"  # "best" takes the best engines that are here

# %% [markdown]
# ## The packages
#
# The notebook runs in the Python that `make lab` set up. These are the parts it found there.

# %%
import sys
from importlib.metadata import version

print(f"Python {sys.version.split()[0]}")
for package in ("voice-kit", "numpy", "faster-whisper", "pocketsphinx", "ollama", "matplotlib"):
    print(f"{package} {version(package)}")

# %% [markdown]
# ## The engines
#
# Four engines make an assistant: one notices speech (`vad`), one writes it down (`stt`), one thinks
# of an answer (`llm`), one says it (`tts`). A fifth, the `judge`, guesses if you have finished.
# For each, *auto* takes the best that is here, says why, and how you would get a better one: what
# begins with `voice-kit` is a command, see below. The embedded ones are always here, without
# a network.

# %%
from voice_kit import engines
from voice_kit.settings import Settings, load_settings

settings = load_settings() if ENGINES == "best" else Settings()
for stage in engines.STAGES:
    print(engines.choose(stage, settings))

# %% [markdown]
# ## The loudspeaker
#
# Press play. The words you should hear stand below the player.

# %%
import numpy as np
from IPython.display import display

from voice_kit import Audio

voice = engines.make("tts", "espeak", settings)
parts = list(voice.speak("If you can hear this, your loudspeaker works."))
rate = parts[0].audio.rate
samples = np.concatenate([part.audio.samples for part in parts])

display(Audio(samples, rate))
print(f"“{' '.join(part.text.strip() for part in parts)}” {len(samples) / rate:.1f} s of sound")

# %% [markdown]
# ## The microphone
#
# With `LIVE = True` in the cell at the top, this shows what this machine can record with. When
# Jupyter runs on another machine than your browser, it is the browser's microphone that counts,
# not these.

# %%
if LIVE:
    import sounddevice

    for device in sounddevice.query_devices():
        if device["max_input_channels"]:
            print(device["name"])
else:
    print("Not live: nothing is recorded.")

# %% [markdown]
# ## What you built
#
# A list of what is here: a Python with its packages, the engines, a loudspeaker you have heard.
# `voice-kit doctor` checks the same and more, and says how to mend what is missing. Type such
# commands in a terminal of JupyterLab (*File → New → Terminal*). In another one they need
# `source .venv/bin/activate` before (Windows: `.venv\Scripts\activate`), in the checkout.
#
# Next: [Sound is numbers](01_sound_is_numbers.ipynb)
