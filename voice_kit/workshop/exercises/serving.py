"""Notebook 12: on the web."""

from __future__ import annotations

import struct
from urllib.parse import urlsplit

import numpy as np

from voice_kit.types import FRAME
from voice_kit.workshop.exercises.exercise import Exercise, Function, given_back, sure

HEADER = struct.Struct("<BBHI")


def _frames_message(frames_message: Function) -> None:
    frames = np.zeros((3, FRAME), np.float32)
    frames[0, :4] = (0.5, -0.5, 0.25, -0.25)
    found = frames_message(70_000, frames)
    given_back(found)
    sure(
        isinstance(found, bytes | bytearray),
        f"a message is bytes, not {type(found).__name__}. HEADER.pack(…) and .tobytes() give them",
    )
    sure(
        len(found) != 3 * FRAME * 2,
        "the samples are there, and no header: whoever gets them cannot know where they belong",
    )
    sure(
        len(found) != HEADER.size + 3 * FRAME * 4,
        "it has four bytes for each sample. On the wire they are whole numbers of two bytes: "
        "int16, which NumPy calls “<i2”",
    )
    sure(
        len(found) == HEADER.size + 3 * FRAME * 2,
        f"three frames make 8 bytes of header and {3 * FRAME * 2} of samples, and this has "
        f"{len(found)} bytes",
    )
    kind, flags, count, number = HEADER.unpack_from(found)
    sure(kind == 1 and flags == 0, "the first byte is the kind, 1 for sound, the second is 0")
    sure(
        count != 3 * FRAME,
        "count is how many frames there are, not how many samples",
    )
    sure(
        (count, number) == (3, 70_000),
        f"its header says {count} frames from number {number} on, and it was given 3 from number "
        "70000 on",
    )
    sent = np.frombuffer(found, "<i2", offset=HEADER.size).reshape(3, FRAME)
    first = sent[0, :4].tolist()
    sure(
        np.frombuffer(found, ">i2", offset=HEADER.size)[0] not in (16383, 16384)
        or first[0] in (16383, 16384),
        "the two bytes of each sample are in the wrong order: “<i2” has the small one first",
    )
    sure(
        first[0] not in (0, 1),
        "everything is silent: the samples are between −1 and 1, and int16 between −32768 and "
        "32767. Multiply before you round",
    )
    close = all(abs(got - 32767 * want) < 2 for got, want in zip(first, frames[0], strict=False))
    sure(close, f"0.5 should become 16384 or one less, and it becomes {first[0]}")
    frames[0, :2] = (1.0, -1.0)
    loudest = np.frombuffer(frames_message(0, frames), "<i2", offset=HEADER.size)[:2].tolist()
    sure(
        loudest[0] > 32_000 and loudest[1] < -32_000,
        f"the loudest sample, 1.0, becomes {loudest[0]}: a loud click. int16 ends at 32767, and "
        "what is more begins again at the other end. Multiply by 32767, or use np.clip",
    )


def _without_holes(without_holes: Function) -> None:
    def sound(first: int, count: int) -> np.ndarray:
        numbers = np.arange(first, first + count, dtype=np.float32)
        return np.repeat(numbers[:, None] + 1, FRAME, axis=1)

    came = [(0, sound(0, 2)), (2, sound(2, 1)), (6, sound(6, 2)), (9, sound(9, 1))]
    found = without_holes(came)
    given_back(found)
    found = np.asarray(found)
    sure(
        found.ndim == 2 and found.shape[1:] == (FRAME,),
        f"it should give frames, shape (n, {FRAME}), not {found.shape}. np.concatenate puts pieces "
        "below each other",
    )
    heard = found[:, 0].astype(int).tolist()
    sure(
        heard != [1, 2, 3, 7, 8, 10],
        "what is lost is left out, and everything after it comes too early: time runs short. Put "
        "zeros there",
    )
    sure(
        heard != [1, 2, 3, 0, 7, 8, 0, 10],
        "each hole has one frame of zeros, however long it is. How many numbers are missing?",
    )
    sure(
        sorted(heard) != sorted([1, 2, 3, 7, 8, 10, 0, 0, 0, 0]) or heard[-1] == 10,
        "there are as many zeros as frames are missing, and all at the end. They belong where the "
        "frames are missing",
    )
    sure(
        len(heard) == 10,
        f"frames 0 to 9 are ten, four of them lost; it gives {len(heard)}. A message with number n "
        "and k frames is followed by number n + k",
    )
    sure(
        heard == [1, 2, 3, 0, 0, 0, 7, 8, 0, 10],
        "frames 3, 4, 5 and 8 were lost: just those should be zeros, and every other in its place",
    )
    later = np.asarray(without_holes([(500, sound(0, 1)), (501, sound(1, 1))]))
    sure(
        len(later) == 2,
        "when the first message has number 500, nothing was lost before it: time begins there",
    )


def _may_come_in(may_come_in: Function) -> None:
    host = "127.0.0.1:8765"
    found = may_come_in(f"http://{host}", host)
    given_back(found)
    sure(found, "our own page is kept out: its origin is http:// and then the host")
    sure(
        not may_come_in("https://evil.example", host),
        "a page of evil.example may talk with your assistant, in your name. Compare it with the "
        "host",
    )
    sure(
        may_come_in(None, host),
        "a program that is no browser sends no origin, and is kept out. It cannot be tricked by a "
        "page: its token decides",
    )
    sure(not may_come_in("null", host), "“null” is a page without a place: it is not ours")
    sure(
        not may_come_in("https://talk.example.org.evil.example", "talk.example.org"),
        "https://talk.example.org.evil.example is let in at talk.example.org: our host is in it, "
        "but that is not where the page is. Compare the whole host",
    )
    sure(
        not may_come_in("https://nottalk.example.org", "talk.example.org"),
        "https://nottalk.example.org is let in at talk.example.org: it only ends like it. Anybody "
        "can buy such a name",
    )
    sure(
        not may_come_in("http://127.0.0.1:8888", host),
        "a page at another port of this machine is let in. It is another program's: perhaps a "
        "Jupyter of somebody else. The port belongs to the origin",
    )
    sure(
        may_come_in("https://Talk.example.org", "talk.example.org"),
        "names of hosts are the same in capitals: https://Talk.example.org is ours",
    )


EXERCISES = (
    Exercise(
        name="frames_message",
        notebook="12",
        where="A frame on the wire",
        try_out=_frames_message,
        hints=(
            "Eight bytes say what comes: HEADER.pack(kind, flags, count, number). Then the sound.",
            "From −1…1 to whole numbers: times 32767, then .astype('<i2'), then .tobytes().",
            "HEADER.pack(1, 0, len(frames), number) + (frames * 32767).astype('<i2').tobytes()",
        ),
        given={"HEADER": HEADER, "np": np, "FRAME": FRAME},
    ),
    Exercise(
        name="without_holes",
        notebook="12",
        where="What gets lost",
        try_out=_without_holes,
        hints=(
            "After a message, which number should the next one have?",
            "If it has a higher one, so many frames are missing: np.zeros((many, FRAME)).",
            "For each: append zeros for `number - due`, append the frames, due = number + "
            "len(frames). In the end np.concatenate.",
        ),
        given={"np": np, "FRAME": FRAME},
    ),
    Exercise(
        name="may_come_in",
        notebook="12",
        where="Who may come in",
        try_out=_may_come_in,
        hints=(
            "An origin is a scheme, “://”, and a host with its port. Which part must be equal?",
            "urlsplit(origin).netloc is the host with its port, of “null” it is empty.",
            "origin is None or urlsplit(origin).netloc.lower() == host.lower()",
        ),
        given={"urlsplit": urlsplit},
    ),
)
