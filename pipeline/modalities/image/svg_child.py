"""The process that parses, checks and draws SVG, apart from the one that asks.

Foreign XML can be made to fill memory, and resvg to crash: deep nesting overflows its stack, a
large pattern aborts on allocation, and a few hundred bytes of nested masks keep it busy for hours;
none of these is an exception that a caller could catch. So this script lives in a process of its
own, limited in memory and in CPU seconds a picture, and dies in its caller's stead. It reads
requests from stdin until that closes, and answers on stdout.

What is drawn is the document as it was parsed and checked, written anew, so that two parsers can't
read two things in it. Processing instructions, scripts and animations are thereby without effect.

First comes READY, or the exit code NO_ROOM where this machine has not the memory that a drawing may
have. Request: side, seconds, length (unsigned 32-bit integers), then the file. Answer: whether it
was drawn, length, then PNG, or the reason and the message of a reject with a line break between.
"""

from __future__ import annotations

import math
import mmap
import re
import resource
import struct
import sys
from xml.etree.ElementTree import Element, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

REQUEST = struct.Struct("<III")
ANSWER = struct.Struct("<?I")
READY = b"+"
NO_ROOM = 71
MEMORY_BYTES = 1 << 30
MAX_DEPTH = 200
_ROOT = "{http://www.w3.org/2000/svg}svg"
# Possessive, so that many spaces are read once: what could follow them is no space.
_OUTSIDE = re.compile(r"@import|url\(\s*+[\"']?\s*+(?!#|data:)[^\s\"')]", re.IGNORECASE)


class Refused(Exception):
    """The reason and the message of a reject."""


def main() -> None:
    try:
        _limit(resource.RLIMIT_AS, resource.getrlimit(resource.RLIMIT_AS)[1])
        mmap.mmap(-1, MEMORY_BYTES).close()
    except OSError:
        sys.exit(NO_ROOM)
    import resvg_py

    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(READY)
    sink.flush()
    while header := source.read(REQUEST.size):
        side, seconds, length = REQUEST.unpack(header)
        data = source.read(length)
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime) + seconds)
        try:
            # System fonts differ between machines, so text that is not drawn as paths is left out.
            answer = resvg_py.svg_to_bytes(
                svg_string=closed_document(data),
                width=side,
                height=side,
                dpi=96,
                skip_system_fonts=True,
            )
            is_drawn = True
        except Refused as refused:
            answer, is_drawn = "\n".join(refused.args).encode(), False
        except ValueError:
            answer, is_drawn = b"undecodable\nthe SVG cannot be drawn", False
        sink.write(ANSWER.pack(is_drawn, len(answer)) + answer)
        sink.flush()


def closed_document(data: bytes) -> str:
    """The document, proven to refer to nothing outside itself.

    Embedded `data:` pictures are allowed, and so are links (`<a>`), which draw nothing.
    """
    try:
        # A document type by public name is common and is not loaded; entities are refused.
        root = fromstring(data, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except DefusedXmlException:
        raise Refused("external_reference", "the SVG declares or refers to entities") from None
    except (ParseError, ValueError, LookupError):
        raise Refused("undecodable", "the SVG is not well-formed XML") from None
    if root.tag != _ROOT:
        raise Refused("undecodable", "the file is XML, but not SVG")
    _check(root)
    document: str = tostring(root, encoding="unicode")
    return document


def _check(root: Element) -> None:
    pending = [(root, 1)]
    while pending:
        element, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise Refused("too_complex", f"the SVG is nested deeper than {MAX_DEPTH} elements")
        if _refers_outside(element):
            raise Refused("external_reference", "the SVG refers to a file or an address")
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


def _limit(kind: int, value: int) -> None:
    """The soft limit, which is the one that counts, under whatever hard limit there is."""
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


if __name__ == "__main__":
    main()
