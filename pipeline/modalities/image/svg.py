"""SVG → PNG, parsed, checked and drawn by a process of its own: see `svg_child`."""

from __future__ import annotations

import atexit
import codecs
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from pipeline.core.errors import PipelineError, Rejected
from pipeline.modalities.image import svg_child

MAX_BYTES = 4_000_000
_PAGE = re.compile(rb"\s*+(?:(?><!--.*?-->)\s*+)*+<(!doctype\s+)?html\b", re.IGNORECASE | re.DOTALL)
# How people and the memory killer end a process: no document makes it die so.
_SENT = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def looks_like_markup(data: bytes) -> bool:
    """Whether the file begins as XML does, in UTF-8 or UTF-16."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    return data[:1024].removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<")


def is_page(data: bytes) -> bool:
    """Whether markup is an HTML page, such as a server sends in place of what is not there."""
    start = data[:1024].removeprefix(codecs.BOM_UTF8)
    return _PAGE.match(start) is not None


def render(data: bytes, side: int, seconds: int) -> bytes:
    """The picture as PNG (RGBA), its longer side `side` pixels.

    Raises
    ------
    Rejected
        `external_reference`, `undecodable`, or `too_complex` if reading and drawing it needs more
        than `seconds` CPU seconds or the memory that a drawing may have, or crashes the library.
    OSError
        This machine has not that memory, or somebody killed the process.
    """
    if len(data) > MAX_BYTES:
        raise Rejected("too_complex", f"the SVG is larger than {MAX_BYTES} bytes")
    return _renderer.render(data, side, seconds)


class _Renderer:
    """Holds the drawing process, and starts another when a document has killed it."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def render(self, data: bytes, side: int, seconds: int) -> bytes:
        with self._lock:
            if self._child is None:
                self._open()
            assert self._child is not None
            answer = _ask(self._child, data, side, seconds)
            if answer is None:
                code = self._child.wait()
                self.close()
                if -code in _SENT:
                    raise ChildProcessError(f"the process that draws SVG was killed ({code})")
                # The next one proves that there is the memory: if not, the SVG is not to blame.
                self._open()
                raise Rejected(
                    "too_complex", "drawing the SVG took too much time or memory, or crashed"
                )
        is_drawn, content = answer
        if not is_drawn:
            raise Rejected(*content.decode().split("\n", 1))
        return content

    def _open(self) -> None:
        self._child = _start()
        atexit.register(self.close)

    def close(self) -> None:
        atexit.unregister(self.close)
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


def _start() -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-P", str(Path(svg_child.__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout is not None
    if child.stdout.read(1) != svg_child.READY:
        child.communicate()
        if child.returncode == svg_child.NO_ROOM:
            megabytes = svg_child.MEMORY_BYTES >> 20
            raise MemoryError(f"drawing an SVG may take {megabytes} MB, which are not to be had")
        raise PipelineError(
            "the process that draws SVG does not start; is resvg_py installed? pip install resvg_py"
        )
    return child


def _ask(
    child: subprocess.Popen[bytes], data: bytes, side: int, seconds: int
) -> tuple[bool, bytes] | None:
    """Whether it was drawn, and the picture or why not; None if the process died over it."""
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(svg_child.REQUEST.pack(side, seconds, len(data)) + data)
        child.stdin.flush()
        answer = child.stdout.read(svg_child.ANSWER.size)
        if len(answer) < svg_child.ANSWER.size:
            return None
        is_drawn, length = svg_child.ANSWER.unpack(answer)
        content = child.stdout.read(length)
        return (is_drawn, content) if len(content) == length else None
    except BrokenPipeError:
        return None


_renderer = _Renderer()
