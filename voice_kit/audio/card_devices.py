"""The sound cards of this machine, and what to do when one of them cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from voice_kit.errors import AudioError

Kind = Literal["input", "output"]
NAMES: dict[Kind, str] = {"input": "microphone", "output": "loudspeaker"}

BUSY = -9985  # paDeviceUnavailable


@dataclass(frozen=True, slots=True)
class Device:
    """A microphone, a loudspeaker, or both."""

    index: int
    name: str
    inputs: int
    """Channels that it records; 0 if it is no microphone."""
    outputs: int
    """Channels that it plays; 0 if it is no loudspeaker."""
    rate: int
    """The rate that suits it best, in Hz."""
    default_input: bool = False
    default_output: bool = False


def devices() -> list[Device]:
    """Everything that records or plays; empty on a machine without a sound card.

    Raises `AudioError` when PortAudio, the library that knows them, is missing.
    """
    sounddevice = library()
    chosen_in, chosen_out = sounddevice.default.device
    return [
        Device(
            index=index,
            name=info["name"],
            inputs=info["max_input_channels"],
            outputs=info["max_output_channels"],
            rate=round(info["default_samplerate"]),
            default_input=index == chosen_in,
            default_output=index == chosen_out,
        )
        for index, info in enumerate(sounddevice.query_devices())
    ]


def find(kind: Kind, device: int | str | None) -> Device:
    """The device of that number or (part of its) name, or the usual one."""
    try:
        index = library().query_devices(device, kind)["index"]
    except Exception as error:  # PortAudioError when loaded, ValueError
        raise unusable(kind, device, error) from error
    found = next(known for known in devices() if known.index == index)
    if not (found.inputs if kind == "input" else found.outputs):
        raise AudioError(
            f"“{found.name}” is no {NAMES[kind]}. Choose another: `voice-kit devices` lists them."
        )
    return found


def open_stream(kind: Kind, device: Device, rate: int, channels: int, **options: Any) -> Any:
    """A started stream of float32 blocks, shape (n, channels)."""
    sounddevice = library()
    stream_class = sounddevice.InputStream if kind == "input" else sounddevice.OutputStream
    try:
        stream = stream_class(
            device=device.index, samplerate=rate, channels=channels, dtype="float32", **options
        )
        try:
            stream.start()
        except BaseException:
            stream.close()
            raise
    except (sounddevice.PortAudioError, ValueError) as error:
        raise unusable(kind, device.name, error) from error
    return stream


def can(kind: Kind, device: Device, rate: int, channels: int) -> bool:
    """Whether the device works at this rate with so many channels."""
    sounddevice = library()
    check = (
        sounddevice.check_input_settings if kind == "input" else sounddevice.check_output_settings
    )
    try:
        check(device=device.index, samplerate=rate, channels=channels, dtype="float32")
    except (sounddevice.PortAudioError, ValueError):
        return False
    return True


def library() -> Any:
    """sounddevice. Raises `AudioError` where it, or PortAudio beneath it, is missing."""
    try:
        import sounddevice  # type: ignore[import-untyped]
    except ImportError as error:
        raise AudioError(
            "The package sounddevice is missing. Try: pip install sounddevice"
        ) from error
    except OSError as error:
        raise AudioError(
            "PortAudio, which knows the sound card, is not installed. Try: "
            "sudo apt install libportaudio2 (Linux), brew install portaudio (macOS)"
        ) from error
    return sounddevice


def unusable(kind: Kind, device: int | str | None, error: Exception) -> AudioError:
    """What to say when PortAudio will not open a device."""
    name = NAMES[kind]
    text = str(error.args[0] if error.args else error)
    code = error.args[1] if len(error.args) > 1 else 0
    if code == BUSY or "busy" in text.lower():
        return AudioError(
            f"The {name} is used by another program. Close that one, or choose another "
            f"{name}: `voice-kit devices` lists them."
        )
    if "permission" in text.lower() or "denied" in text.lower():
        return AudioError(
            f"This program may not use the {name}. Allow it in the system's privacy settings; "
            "on Linux, join the group “audio”."
        )
    if "querying device" in text or isinstance(error, ValueError):
        if device is None:
            return AudioError(f"There is no {name} here. Plug one in, or work with sound files.")
        return AudioError(
            f"There is no {name} “{device}”. Choose another: `voice-kit devices` lists them."
        )
    return AudioError(
        f"The {name} cannot be opened: {text}. Choose another: `voice-kit devices` lists them."
    )
