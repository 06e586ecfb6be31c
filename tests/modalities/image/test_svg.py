from __future__ import annotations

import base64
import contextlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import PipelineError, Rejected
from pipeline.modalities.image import svg, svg_child
from pipeline.modalities.image.decode import decode
from tests.modalities.image.pictures import SVG, encoded, scene
from tests.modalities.image.pictures import svg as document

RED = '<rect width="100" height="50" fill="red"/>'


def drawn(data: bytes, seconds: int = 2) -> np.ndarray:
    return decode(data, 1_000_000, vector_side=64, vector_seconds=seconds)


def reason(data: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        drawn(data, seconds=1)
    return caught.value.reason


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('viewBox="0 0 100 50"', (32, 64)),
        ('viewBox="0 0 50 100"', (64, 32)),
        ('width="128pt" height="64pt"', (32, 64)),
        ('width="10cm" height="10cm" viewBox="0 0 100 50"', (64, 64)),
        ('width="1e9" height="1e9"', (64, 64)),
        ('width="1" height="1000"', (64, 1)),
        ("", (32, 64)),
    ],
)
def test_drawn_at_the_asked_size(attributes: str, size: tuple[int, int]) -> None:
    assert drawn(document(RED, attributes)).shape == (*size, 3)


def test_colours_on_white() -> None:
    half = drawn(document('<rect width="50" height="50" fill="#ff0000" fill-opacity="0.5"/>'))
    np.testing.assert_allclose(half[16, 10].astype(int), [255, 127, 127], atol=1)
    np.testing.assert_array_equal(half[16, 50], [255, 255, 255])


@pytest.mark.parametrize(
    "start",
    [
        b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- drawn -->\n',
        b'\xef\xbb\xbf  <?xml version="1.0"?>',
        b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" '
        b'"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">',
        b'<?xml-stylesheet href="http://example.org/a.css"?>',
    ],
)
def test_prologues(start: bytes) -> None:
    if start.startswith(b"\xef\xbb\xbf"):
        start = b"\xef\xbb\xbf" + start[3:].lstrip()
    np.testing.assert_array_equal(drawn(start + document(RED)), drawn(document(RED)))


def test_encodings() -> None:
    text = document(RED).decode()
    np.testing.assert_array_equal(drawn(text.encode("utf-16")), drawn(document(RED)))


def test_references_within_are_drawn() -> None:
    body = (
        '<defs><linearGradient id="g"><stop stop-color="red"/></linearGradient>'
        '<rect id="r" width="100" height="50"/></defs>'
        '<use x:href="#r" fill="url(#g)"/><a href="http://example.org"><g/></a>'
    )
    np.testing.assert_array_equal(drawn(document(body)), drawn(document(RED)))


def test_embedded_pictures_are_drawn() -> None:
    data = base64.b64encode(encoded(scene(50, 100), ".png")).decode()
    body = f'<image width="100" height="50" x:href="data:image/png;base64,{data}"/>'
    assert drawn(document(body))[5, 5].tolist() == [220, 30, 20]


@pytest.mark.parametrize(
    "body",
    [
        '<image x:href="/etc/hostname"/>',
        '<image href="file:///etc/hostname"/>',
        '<image href=" picture.png"/>',
        '<image href="http://example.org/a.png"/>',
        '<image href="//example.org/a.png"/>',
        '<filter id="f"><feImage href="a.png"/></filter>',
        '<use x:href="other.svg#part"/>',
        '<script src="a.js"/>',
        '<rect fill="url(other.svg#part)"/>',
        "<rect style=\"fill: url( 'http://example.org/#part' )\"/>",
        "<style>@import 'a.css';</style>",
        "<style>@import url(http://example.org/shapes.css);</style>",
    ],
)
def test_references_outside(body: str) -> None:
    assert reason(document(body)) == "external_reference"


@pytest.mark.parametrize(
    "declaration",
    [
        f'<!ENTITY a "{"a" * 1000}">',
        '<!ENTITY a SYSTEM "file:///etc/hostname">',
        '<!ENTITY % a SYSTEM "http://example.org/a.dtd"> %a;',
        '<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;">',
    ],
)
def test_entities(declaration: str) -> None:
    assert reason(f"<!DOCTYPE svg [{declaration}]>".encode() + document(RED)) == (
        "external_reference"
    )


def test_files_are_out_of_reach_even_inside_embedded_documents(tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(encoded(np.full((9, 9, 3), (255, 0, 0), np.uint8), ".png"))
    inner = document(f'<image width="100" height="50" x:href="{tmp_path}/red.png"/>')
    data = base64.b64encode(inner).decode()
    outer = document(f'<image width="100" height="50" x:href="data:image/svg+xml;base64,{data}"/>')
    assert drawn(outer).std() == 0


def test_entities_that_name_namespaces() -> None:
    start = (
        b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.0//EN" "http://www.w3.org/svg10.dtd" ['
        b'<!ENTITY ns_svg "http://www.w3.org/2000/svg"><!ENTITY ns_ai "http://ns.adobe.com/ai/">]>'
    )
    drawing = document(RED).replace(b'"http://www.w3.org/2000/svg"', b'"&ns_svg;"')
    np.testing.assert_array_equal(drawn(start + drawing), drawn(document(RED)))


def test_a_drawing_from_before_namespaces() -> None:
    bare = document(RED).replace(b' xmlns="http://www.w3.org/2000/svg"', b"")
    assert b"www.w3.org/2000/svg" not in bare
    np.testing.assert_array_equal(drawn(bare), drawn(document(RED)))
    outside = bare.replace(b"</svg>", b'<image x:href="/etc/passwd"/></svg>')
    assert reason(outside) == "external_reference"


@pytest.mark.parametrize(
    "rule",
    [
        "@import url('https://fonts.googleapis.com/css2?family=Inter:wght@400;700&amp;x');",
        "@import url(//fonts.example.org/a.css);",
        "@import 'https://example.org/fonts/a.css' screen;",
        "@font-face {font-family: A; src: url(font.ttf)}",
    ],
)
def test_fonts_of_the_web_are_done_without(rule: str) -> None:
    styled = document(f"<style>{rule} rect {{fill: red}}</style>" + RED.replace("red", "blue"))
    np.testing.assert_array_equal(drawn(styled), drawn(document(RED)))


WORD = '<text x="5" y="40" font-size="40"{}>{}</text>'


def test_text_is_drawn() -> None:
    hello = drawn(document(WORD.format("", "hello")))
    assert 0.05 < (hello < 128).mean() < 0.5
    assert not np.array_equal(hello, drawn(document(WORD.format("", "world"))))
    beside = drawn(document('<rect width="9" height="9" fill="red"/>' + WORD.format("", "hello")))
    np.testing.assert_array_equal(beside[:, 10:], hello[:, 10:])
    for style in (' font-weight="700"', ' font-style="italic"'):
        assert not np.array_equal(hello, drawn(document(WORD.format(style, "hello"))))


@pytest.mark.parametrize("family", ["Arial", "serif", "monospace", "No Such Font, cursive"])
def test_text_depends_on_no_font_of_this_machine(family: str) -> None:
    styled = drawn(document(WORD.format(f' font-family="{family}"', "hello")))
    np.testing.assert_array_equal(styled, drawn(document(WORD.format("", "hello"))))


@pytest.mark.parametrize("word", ["Ünïcödé", "Привет", "γειά", "£€¥¢", "Việt", "नमस्ते"])
def test_text_of_many_alphabets_is_drawn(word: str) -> None:
    assert (drawn(document(WORD.format("", word))) < 128).any()


@pytest.mark.parametrize("word", ["漢字", "سلام", "a漢", "🙂"])
def test_text_that_no_font_draws_is_refused_by_its_name(word: str) -> None:
    drawing = RED + "<g>" + WORD.format("", f"<tspan>{word}</tspan>") + "</g>"
    assert reason(document(drawing)) == "no_font"
    drawn(document(RED + f"<title>{word}</title>"))


@pytest.mark.parametrize(
    "data",
    [
        b"<html><body/></html>",
        b'<svg xmlns="http://example.org/other"/>',
        SVG,
        SVG + b"><g></svg>",
        b'<?xml version="1.0" encoding="klingon"?>' + document(RED),
        document(RED, 'width="0" height="5"'),
        document(RED, 'width="-5" height="5"'),
        document("\0"),
        b"\xff\xfe<\0",
    ],
)
def test_what_is_no_drawing(data: bytes) -> None:
    assert reason(data) == "undecodable"


def nested(kind: str, tag: str, levels: int) -> str:
    """A tenfold reference to the level below, at each level."""
    below = ['<rect width="90" height="50" fill="white"/>'] + [
        f'<rect width="90" height="50" fill="white" {kind}="url(#m{level})"/>'
        for level in range(levels)
    ]
    parts = [f'<{tag} id="m{level}">{below[level] * 10}</{tag}>' for level in range(levels)]
    return f"<defs>{''.join(parts)}</defs>{below[-1]}"


BOMBS = {
    "deep": "<g>" * 20_000 + "</g>" * 20_000,
    "pattern": '<pattern id="p" width="1e7" height="1e7" patternUnits="userSpaceOnUse">'
    f'{RED}</pattern><rect width="90" height="50" fill="url(#p)"/>',
    "masks": nested("mask", "mask", 7),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_neither_crash_nor_stay(name: str) -> None:
    assert reason(document(BOMBS[name])) == "too_complex"
    np.testing.assert_array_equal(drawn(document(RED))[16, 32], [255, 0, 0])


def test_trouble_of_the_machine_is_no_reject(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg, "_renderer", svg._Renderer())
    monkeypatch.setattr(svg.svg_child, "__file__", "/nowhere/svg_child.py")
    with pytest.raises(PipelineError, match="resvg_py"):
        drawn(document(RED))


def test_a_large_file_is_not_parsed() -> None:
    assert reason(document(" " * svg.MAX_BYTES)) == "too_complex"


@pytest.mark.parametrize("filling", [" ", "url(", " \t", "url( '"])
def test_looking_for_references_costs_what_the_document_is_long(filling: str) -> None:
    started = time.process_time()
    styled = document("").decode().replace(">", f' style="url({filling * 400_000}">', 1)
    with contextlib.suppress(svg_child.Refused):
        svg_child.closed_document(styled.encode())
    assert time.process_time() - started < 5


def test_a_killed_process_is_no_reject() -> None:
    drawn(document(RED))
    child = svg._renderer._child
    assert child is not None
    child.kill()
    child.wait()
    with pytest.raises(ChildProcessError):
        drawn(document(RED))
    assert drawn(document(RED)).any()


def test_without_the_memory_of_a_drawing_no_document_is_refused() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (900 << 20, 900 << 20));"
        "from pipeline.modalities.image.svg import render;"
        f"render({document(RED)!r}, 64, 5)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].startswith("MemoryError: drawing an SVG may take 1024 MB")


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html>\n<html><body>404<svg/></body></html>",
        b"\n<HTML><head>",
        b"<!-- a --> <!-- b --><html>",
    ],
)
def test_a_page_is_called_a_page(page: bytes) -> None:
    with pytest.raises(Rejected, match="an HTML page") as caught:
        drawn(page)
    assert caught.value.reason == "undecodable"
