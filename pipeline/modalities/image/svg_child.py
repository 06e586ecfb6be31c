"""The process that parses, checks and draws SVG, apart from the one that asks.

Foreign XML can be made to fill memory, and resvg to crash: deep nesting overflows its stack, a
large pattern aborts on allocation, and a few hundred bytes of nested masks keep it busy for hours;
none of these is an exception that a caller could catch. So this script lives in a process of its
own, limited in memory and in CPU seconds a picture, and dies in its caller's stead. It reads
requests from stdin until that closes, and answers on stdout.

What is drawn is the document as it was parsed and checked, written anew, so that two parsers can't
read two things in it. Processing instructions, scripts and animations are thereby without effect.

Fonts of the machine differ from one to the next, so all text is drawn in Noto Sans, which a package
of ours brings (its version is in the key); text in characters that it lacks is refused.

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
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, tostring

from defusedxml.common import DefusedXmlException, EntitiesForbidden
from defusedxml.ElementTree import DefusedXMLParser, ParseError

REQUEST = struct.Struct("<III")
ANSWER = struct.Struct("<?I")
READY = b"+"
NO_ROOM = 71
MEMORY_BYTES = 1 << 30
MAX_DEPTH = 200
# Characters that an entity may stand for: three of a document name one.
MAX_ENTITY = 200
FONT = "Noto Sans"
_FAMILIES = ("font", "serif", "sans_serif", "cursive", "fantasy", "monospace")
_SVG = "{http://www.w3.org/2000/svg}"
# Possessive, so that many spaces are read once: what could follow them is no space.
_FONT_IMPORT = re.compile(
    r"@import\s*+(?:url\(\s*+)?+[\"']?+(?:https?:)?//[^\"'()<>]{0,200}?font[^\"'()<>]{0,400}"
    r"[\"']?\s{0,9}\)?[^;{}]{0,100};|@font-face\s*+\{[^{}]*+\}",
    re.IGNORECASE,
)
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
            document, has_text = closed_document(data)
            answer = resvg_py.svg_to_bytes(
                svg_string=document,
                width=side,
                height=side,
                dpi=96,
                skip_system_fonts=True,
                **(_fonts() if has_text else {}),
            )
            is_drawn = True
        except Refused as refused:
            answer, is_drawn = "\n".join(refused.args).encode(), False
        except ValueError:
            answer, is_drawn = b"undecodable\nthe SVG cannot be drawn", False
        sink.write(ANSWER.pack(is_drawn, len(answer)) + answer)
        sink.flush()


def closed_document(data: bytes) -> tuple[str, bool]:
    """The document, proven to refer to nothing outside itself, and whether it has text.

    Embedded `data:` pictures are allowed, and so are links (`<a>`), which draw nothing, and fonts
    of the web, which are not loaded: text is drawn without them.
    """
    try:
        # A document type by public name is common and is not loaded.
        parser = _Parser(forbid_dtd=False, forbid_entities=True, forbid_external=True)
        parser.feed(data)
        root = parser.close()
    except DefusedXmlException:
        raise Refused("external_reference", "the SVG declares or refers to entities") from None
    except (ParseError, ValueError, LookupError):
        raise Refused("undecodable", "the SVG is not well-formed XML") from None
    if root.tag == "svg":
        _name_namespace(root)
    if root.tag != f"{_SVG}svg":
        raise Refused("undecodable", "the file is XML, but not SVG")
    _check(root)
    characters = _text(root)
    if missing := _missing(characters):
        raise Refused("no_font", f"the SVG has text that {FONT} cannot write ({missing!a})")
    document: str = tostring(root, encoding="unicode")
    return document, bool(characters)


class _Parser(DefusedXMLParser):  # type: ignore[misc]
    """Lets an entity stand for a few characters, as drawing programs name their namespaces."""

    def defused_entity_decl(
        self, name: str, is_parameter: bool, value: str | None, base: Any, *elsewhere: Any
    ) -> None:
        if is_parameter or value is None or any(elsewhere):
            raise EntitiesForbidden(name, value, base, *elsewhere)
        if len(value) > MAX_ENTITY or "&" in value or "<" in value:
            raise EntitiesForbidden(name, value, base, *elsewhere)


def _name_namespace(root: Element) -> None:
    """SVG as it was before namespaces, which many drawings still are: what has none is SVG's."""
    for element in root.iter():
        if not element.tag.startswith("{"):
            element.tag = f"{_SVG}{element.tag}"


def _text(root: Element) -> set[str]:
    """The characters to be written."""
    texts = (element for element in root.iter() if element.tag.rpartition("}")[2] == "text")
    return {c for element in texts for part in element.itertext() for c in part if not c.isspace()}


def _fonts() -> dict[str, Any]:
    """resvg's options for FONT in place of any other."""
    families = {f"{name}_family": FONT for name in _FAMILIES}
    return {**families, "font_files": [str(path) for path in _font_files()]}


def _font_files() -> list[Path]:
    """Upright, then italic."""
    import fontpkg_noto_sans

    files = Path(fontpkg_noto_sans.__file__).parent / "files"
    return sorted(files.glob("*.ttf"), key=lambda path: ("Italic" in path.name, path.name))


def _missing(characters: set[str]) -> str:
    """The first of the characters that FONT has no picture of but the one for what it lacks."""
    if all(c.isascii() for c in characters):
        return ""
    from PIL import ImageFont

    font = ImageFont.truetype(str(_font_files()[0]), 20, layout_engine=ImageFont.Layout.BASIC)
    lacking = bytes(font.getmask("\uffff"))
    return next((c for c in sorted(characters) if bytes(font.getmask(c)) == lacking), "")


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
    if name == "style":
        element.text = _FONT_IMPORT.sub("", element.text or "")
        return _OUTSIDE.search(element.text) is not None
    return False


def _limit(kind: int, value: int) -> None:
    """The soft limit, which is the one that counts, under whatever hard limit there is."""
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


if __name__ == "__main__":
    main()
