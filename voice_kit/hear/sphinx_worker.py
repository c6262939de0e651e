"""What runs in a PocketSphinx process: sound comes in on stdin, what it could be goes out.

It needs nothing but the standard library and pocketsphinx, so that it is ready soon.
"""

from __future__ import annotations

import json
import math
import os
import queue
import signal
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

RATE = 16_000
STEP = RATE // 10 * 2
"""Bytes decoded between two looks at the door: a tenth of a second of 16-bit sound."""
OPEN, GRAMMAR = "open", "commands"
"""The two ways to hear: any English, or only what the grammar allows."""
EXTRA = Path(__file__).with_name("commands.dict")

SETUP, SOUND, STOP = b"c", b"s", b"x"
_HEAD = struct.Struct("<cII")


def send(pipe: IO[bytes], kind: bytes, number: int, body: bytes = b"") -> None:
    """Write one message. Raises `OSError` when nobody is there to read it."""
    pipe.write(_HEAD.pack(kind, number, len(body)))
    pipe.write(body)
    pipe.flush()


def receive(pipe: IO[bytes]) -> tuple[bytes, int, bytes] | None:
    """The next message: its kind, its number, its body. None when the other end is gone."""
    head = pipe.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, number, size = _HEAD.unpack(head)
    body = pipe.read(size)
    return (kind, number, body) if len(body) == size else None


class StoppedError(Exception):
    """The answer is no longer wanted."""


class Listener:
    """Hears one sound after the other, in one of the two ways."""

    def __init__(self, way: str, pronunciations: dict[str, str], tuning: dict[str, Any]):
        from pocketsphinx import Decoder  # type: ignore[import-untyped]

        # Cepstral means must be those of the whole utterance: with the live ones, two words in
        # ten are lost. A tiny decoder, which looks at every tenth frame for one word, computes
        # them in a thousandth of the time, so that the real one can work in steps.
        self._means = Decoder(
            loglevel="FATAL", samprate=RATE, lm=None, dict=str(EXTRA), ds=10, topn=1
        )
        self._means.add_jsgf_string("any", "#JSGF V1.0; grammar any; public <any> = jitter;")
        self._means.activate_search("any")
        self._way = way
        if way == GRAMMAR:
            tuning = tuning | {"lm": None}
        self._decoder = Decoder(loglevel="FATAL", samprate=RATE, compallsen=True, **tuning)
        extra = dict(line.split(maxsplit=1) for line in EXTRA.read_text("utf-8").splitlines())
        for word, phones in (extra | pronunciations).items():
            if self._decoder.lookup_word(word) is None:
                self._decoder.add_word(word, phones.strip(), False)

    def learn(self, grammar: str, words: list[str]) -> list[str]:
        """Take these commands, or say which of their words have no pronunciation."""
        self._decoder.parse_jsgf(grammar)  # or a broken grammar's signs would pass for words
        missing = sorted(word for word in set(words) if self._decoder.lookup_word(word) is None)
        if not missing:
            self._decoder.add_jsgf_string(GRAMMAR, grammar)
            self._decoder.activate_search(GRAMMAR)
        return missing

    def means(self, pcm: bytes) -> str:
        """The cepstral means of a sound."""
        self._means.reinit_feat()
        with _utterance(self._means):
            self._means.process_raw(pcm, no_search=True, full_utt=True)
            means: str = self._means.get_cmn(False)
        return means

    def hear(self, pcm: bytes, go_on: threading.Event) -> dict[str, Any]:
        """What it takes 16-bit sound for. Raises `StoppedError` soon after `go_on` clears."""
        means = self.means(pcm)
        decoder = self._decoder
        decoder.reinit_feat()  # nothing is left of the utterance before
        with _utterance(decoder):
            for start in range(0, len(pcm), STEP):
                decoder.set_cmn(means)  # each time, or it drifts after 3 s
                decoder.process_raw(pcm[start : start + STEP])
                if not go_on.is_set():
                    raise StoppedError
        best = decoder.hyp()
        heard = [] if best is None else [s for s in decoder.seg() if s.word[0] not in "<[+"]
        words = [segment.word.partition("(")[0] for segment in heard]
        whole = self._way == OPEN or decoder.get_fsg(GRAMMAR).accept(" ".join(words))
        if not words or not whole:
            return {"words": [], "phones": [], "score": 0.0}
        return {
            "words": [
                (word, segment.start_frame, segment.end_frame + 1)
                for word, segment in zip(words, heard, strict=True)
            ],
            "phones": " ".join(decoder.lookup_word(segment.word) for segment in heard).split(),
            "score": math.log(best.best_score),
        }


@contextmanager
def _utterance(decoder: Any) -> Iterator[None]:
    decoder.start_utt()
    try:
        yield
    finally:
        decoder.end_utt()


def main() -> None:
    """Answer until stdin closes, which it does when the parent ends, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who then closes us
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a C library prints is no answer
    wanted: queue.SimpleQueue[tuple[bytes, int, bytes, threading.Event]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, wanted), daemon=True).start()
    listener: Listener | None = None
    while True:
        kind, number, body, go_on = wanted.get()
        try:
            if kind == SETUP:
                setup = json.loads(body)
                sys.path.append(setup["path"])
                listener = Listener(setup["way"], setup["pronunciations"], setup["tuning"])
                missing = []
                if setup["way"] == GRAMMAR:
                    missing = listener.learn(setup["grammar"], setup["words"])
                answer: dict[str, Any] = {"missing": missing}
            else:
                assert listener is not None
                answer = listener.hear(body, go_on)
        except StoppedError:
            answer = {"stopped": True}
        except Exception as error:
            # While it loads, the message helps; later, it could tell what was said.
            why = f": {error}" if kind == SETUP else ""
            answer = {"problem": f"{type(error).__name__}{why}"}
        send(out, kind, number, json.dumps(answer).encode())


def _read(pipe: IO[bytes], wanted: queue.SimpleQueue[Any]) -> None:
    last, go_on, stopped = 0, threading.Event(), 0
    while (message := receive(pipe)) is not None:
        kind, number, body = message
        if kind == STOP:
            stopped = number
        else:
            last, go_on = number, threading.Event()
            go_on.set()
            wanted.put((kind, number, body, go_on))
        if last and last <= stopped:
            go_on.clear()
    os._exit(0)


if __name__ == "__main__":
    main()
