"""The state of a training on disk, so that one that was killed goes on from its last epoch."""

from __future__ import annotations

import hashlib
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from pipeline.core.files.atomic import atomic_write

# Writing costs some milliseconds a megabyte; what a kill may cost is this much work.
EVERY_SECONDS = 2.0
DIGEST_BYTES = 64


class Snapshots:
    """One file, which holds the latest state.

    It is not versioned, and may be deleted at any time: training then starts anew, and comes to the
    same. The file is a SHA-256 of the rest in hexadecimal, and what torch.save writes of
    {"key", "state"}; only tensors and plain values are read back.

    Parameters
    ----------
    key:
        Digest of all that the training is made from: a state under another key is not used.
    every_s:
        Seconds from one writing to the next, at least.
    writes:
        Whether this process writes; others only read.
    """

    def __init__(
        self, path: Path, key: str, every_s: float = EVERY_SECONDS, writes: bool = True
    ) -> None:
        self.path, self.key, self.every_s, self.writes = path, key, every_s, writes
        self._written = time.monotonic()
        self._failed = False

    def read(self) -> dict[str, Any] | None:
        """The state, on the CPU; None, with a message where a file is of no use."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _print_message(self._unusable(f"cannot be read ({error.strerror})"))
            return None
        digest, rest = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
        if hashlib.sha256(rest).hexdigest().encode() != digest:
            _print_message(self._unusable("is damaged"))
            return None
        content = torch.load(io.BytesIO(rest), map_location="cpu", weights_only=True)
        if content["key"] != self.key:
            _print_message(self._unusable("is of another configuration, other data or other code"))
            return None
        state: dict[str, Any] = content["state"]
        return state

    def write(self, state: Callable[[], dict[str, Any]]) -> None:
        """Put a state in place of the last one, if that is old enough.

        A full disk costs the snapshot and not the run: the last one stands, and it is said once.
        """
        if not self.writes or time.monotonic() - self._written < self.every_s:
            return
        buffer = io.BytesIO()
        torch.save({"key": self.key, "state": state()}, buffer)
        digest = hashlib.sha256(buffer.getbuffer()).hexdigest().encode()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self.path) as temporary, temporary.open("wb") as file:
                file.write(digest)
                file.write(buffer.getbuffer())
            self._failed = False
        except OSError as error:
            if not self._failed:
                _print_message(
                    f"{self.path} cannot be written ({error.strerror}); training goes on without"
                )
            self._failed = True
        self._written = time.monotonic()

    def _unusable(self, why: str) -> str:
        return f"the snapshot {self.path} {why}: training starts anew"


def _print_message(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
