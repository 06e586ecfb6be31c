"""SVG → PNG, by resvg in a process of its own, after a check that nothing outside is referred to.

What is drawn is the document as it was parsed and checked, written anew, so that two parsers can't
read two things in it. Processing instructions, scripts and animations are thereby without effect.
"""

from __future__ import annotations

import atexit
import codecs
import re
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

from pipeline.errors import PipelineError, Rejected
from pipeline.modalities.image import svg_child

MAX_BYTES = 4_000_000
MAX_DEPTH = 200
_ROOT = "{http://www.w3.org/2000/svg}svg"
_OUTSIDE = re.compile(r"@import|url\(\s*[\"']?\s*(?!#|data:)[^\s\"')]", re.IGNORECASE)


def looks_like_markup(data: bytes) -> bool:
    """Whether the file begins as XML does, in UTF-8 or UTF-16."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    return data[:1024].removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<")


def render(data: bytes, side: int, seconds: int) -> bytes:
    """The picture as PNG (RGBA), its longer side `side` pixels.

    Raises
    ------
    Rejected
        `external_reference`, `undecodable`, or `too_complex` if drawing it needs more than
        `seconds` CPU seconds or the memory that a drawing may have, or crashes the library.
    """
    return _renderer.render(closed_document(data), side, seconds)


def closed_document(data: bytes) -> bytes:
    """The document in UTF-8, proven to refer to nothing outside itself.

    Embedded `data:` pictures are allowed, and so are links (`<a>`), which draw nothing.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    if len(data) > MAX_BYTES:
        raise Rejected("too_complex", f"the SVG is larger than {MAX_BYTES} bytes")
    try:
        # A document type by public name is common and is not loaded; entities are refused.
        root = fromstring(data, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except DefusedXmlException:
        raise Rejected("external_reference", "the SVG declares or refers to entities") from None
    except (ParseError, ValueError, LookupError):
        raise Rejected("undecodable", "the SVG is not well-formed XML") from None
    if root.tag != _ROOT:
        raise Rejected("undecodable", "the file is XML, but not SVG")
    _check(root)
    document: bytes = tostring(root, encoding="utf-8")
    return document


def _check(root: Element) -> None:
    pending = [(root, 1)]
    while pending:
        element, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise Rejected("too_complex", f"the SVG is nested deeper than {MAX_DEPTH} elements")
        if _refers_outside(element):
            raise Rejected("external_reference", "the SVG refers to a file or an address")
        pending += [(child, depth + 1) for child in element]


def _refers_outside(element: Element) -> bool:
    name = element.tag.rpartition("}")[2]
    for attribute, value in element.items():
        if attribute.rpartition("}")[2] in ("href", "src") and name != "a":
            if not value.strip().lower().startswith(("#", "data:")):
                return True
        elif _OUTSIDE.search(value):
            return True
    return name == "style" and _OUTSIDE.search(element.text or "") is not None


class _Renderer:
    """Holds the drawing process, and starts another when a document has killed it."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def render(self, document: bytes, side: int, seconds: int) -> bytes:
        with self._lock:
            if self._child is None:
                self._child = _start()
                atexit.register(self.close)
            png = _ask(self._child, document, side, seconds)
            if png is None:
                self.close()
                raise Rejected(
                    "too_complex", "drawing the SVG took too much time or memory, or crashed"
                )
        if not png:
            raise Rejected("undecodable", "the SVG cannot be drawn")
        return png

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
        raise PipelineError(
            "the process that draws SVG does not start; is resvg_py installed? pip install resvg_py"
        )
    return child


def _ask(child: subprocess.Popen[bytes], document: bytes, side: int, seconds: int) -> bytes | None:
    """The answer; None if the process died over it."""
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(svg_child.REQUEST.pack(side, seconds, len(document)) + document)
        child.stdin.flush()
        answer = child.stdout.read(svg_child.ANSWER.size)
        if len(answer) < svg_child.ANSWER.size:
            return None
        (length,) = svg_child.ANSWER.unpack(answer)
        png = child.stdout.read(length)
        return png if len(png) == length else None
    except BrokenPipeError:
        return None


_renderer = _Renderer()
