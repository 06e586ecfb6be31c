from __future__ import annotations

import base64
import struct
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import Rejected
from pipeline.modalities.image.decode import decode, opaque
from pipeline.modalities.image.header import MAX_SCANS
from pipeline.modalities.image.opencv import cv2
from tests.modalities.image.pictures import chunk, encoded, exif, png, scene, with_exif

# 8 by 8 pixels in cyan, magenta, yellow and black, of which the second and third are full.
CMYK = base64.b64decode(
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwANCQoLCggNCwoLDg4NDxMgFRMSEhMnHB4XIC4pMTAuKS0sMzpKPjM2RjcsLUBX"
    "QUZMTlJTUjI+WmFaUGBKUVJP/8AAFAgACAAIBEMRAE0RAFkRAEsRAP/EABQAAQAAAAAAAAAAAAAAAAAAAAf/xAAUEAEA"
    "AAAAAAAAAAAAAAAAAAAA/9oADgRDAE0AWQBLAAA/AE4YDAnP/9k="
)


def image(data: bytes, max_pixels: int = 1_000_000) -> np.ndarray:
    return decode(data, max_pixels, vector_side=64, vector_seconds=5)


def reason(data: bytes, max_pixels: int = 1_000_000) -> str:
    with pytest.raises(Rejected) as caught:
        image(data, max_pixels)
    return caught.value.reason


GREYS = [[10, 10, 10], [200, 200, 200]]
COLOURS = [[10, 20, 30], [1, 2, 3]]
PALETTE = chunk(b"PLTE", bytes([1, 2, 3, 9, 8, 7]))


KINDS = [
    ("grey", png(2, 1, 8, 0, bytes([10, 200])), GREYS),
    ("grey, 1 bit", png(2, 1, 1, 0, b"\x40"), [[0] * 3, [255] * 3]),
    ("grey, 4 bits", png(2, 1, 4, 0, b"\x3f"), [[51] * 3, [255] * 3]),
    ("grey, 16 bits", png(2, 1, 16, 0, struct.pack(">HH", 2570, 51400)), GREYS),
    (
        "grey, one clear",
        png(2, 1, 8, 0, bytes([10, 200]), chunk(b"tRNS", b"\0\x0a")),
        [[255] * 3, [200] * 3],
    ),
    (
        "grey, 2 bits, one clear",
        png(2, 1, 2, 0, b"\x10", chunk(b"tRNS", b"\0\0")),
        [[255] * 3, [85] * 3],
    ),
    ("grey and alpha", png(2, 1, 8, 4, bytes([10, 128, 200, 0])), [[132] * 3, [255] * 3]),
    ("palette", png(2, 1, 8, 3, b"\0\1", PALETTE), [[1, 2, 3], [9, 8, 7]]),
    (
        "palette, one clear",
        png(2, 1, 8, 3, b"\0\1", PALETTE, chunk(b"tRNS", b"\0\xff")),
        [[255] * 3, [9, 8, 7]],
    ),
    ("rgb", png(2, 1, 8, 2, bytes([10, 20, 30, 1, 2, 3])), COLOURS),
    (
        "rgb, one clear",
        png(2, 1, 8, 2, bytes([10, 20, 30, 1, 2, 3]), chunk(b"tRNS", b"\0\1\0\2\0\3")),
        [[10, 20, 30], [255] * 3],
    ),
    (
        "rgb and alpha, 16 bits",
        png(2, 1, 16, 6, struct.pack(">8H", *(257 * v for v in (10, 20, 30, 255, 1, 2, 3, 0)))),
        [[10, 20, 30], [255] * 3],
    ),
    (
        "gamma is not applied",
        png(2, 1, 8, 2, bytes([10, 20, 30, 1, 2, 3]), chunk(b"gAMA", b"\0\1\x86\xa0")),
        COLOURS,
    ),
]


@pytest.mark.parametrize(
    ("data", "pixels"), [kind[1:] for kind in KINDS], ids=[kind[0] for kind in KINDS]
)
def test_every_kind_of_png(data: bytes, pixels: list[list[int]]) -> None:
    decoded = image(data)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, [pixels])


@pytest.mark.parametrize(
    ("extension", "flags", "error"),
    [
        (".png", (), 0),
        (".jpg", (cv2.IMWRITE_JPEG_QUALITY, 100), 3),
        (".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), 3),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 95), 3),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 101), 0),
    ],
)
def test_formats(extension: str, flags: tuple[int, ...], error: int) -> None:
    decoded = image(encoded(scene(), extension, *flags)).astype(int)
    assert np.abs(decoded - scene()).mean() <= error


def test_jpeg_of_print_colours() -> None:
    assert np.abs(image(CMYK).astype(int) - [255, 0, 0]).max() < 8


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_that_of_opencvs_colour_reader(orientation: int, order: str) -> None:
    data = with_exif(encoded(scene(), ".jpg"), exif(orientation, order))
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(image(data), expected)


def test_orientation_of_a_png() -> None:
    file = encoded(scene(), ".png")
    turned = image(file[:33] + chunk(b"eXIf", exif(6)) + file[33:])
    np.testing.assert_array_equal(turned, np.rot90(scene(), -1))


@pytest.mark.parametrize("block", [b"", b"MM", b"XX" + bytes(30), exif(6)[:-9], exif(9), exif(0)])
def test_damaged_exif_changes_nothing(block: bytes) -> None:
    plain = encoded(scene(), ".jpg")
    np.testing.assert_array_equal(image(with_exif(plain, block)), image(plain))


@pytest.mark.parametrize("extension", [".webp", ".png"])
def test_the_first_picture_of_an_animation(extension: str) -> None:
    animation = cv2.Animation()
    animation.frames = [scene(), 255 - scene()]
    animation.durations = np.array([100, 100])
    data = cv2.imencodeanimation(extension, animation)[1].tobytes()
    assert np.abs(image(data).astype(int) - scene()[:, :, ::-1]).mean() < 5


def test_alpha_on_white_is_rounded_as_floats_are() -> None:
    colour, alpha = np.meshgrid(np.arange(256), np.arange(256))
    picture = np.dstack([colour, colour, colour, alpha]).astype(np.uint8)
    expected = np.rint(255 - (255 - colour) * (alpha / 255))
    np.testing.assert_array_equal(opaque(picture)[:, :, 0], expected)


def test_a_white_shape_stands_on_black() -> None:
    alpha = scene()[:, :, :1]
    shape = np.dstack([np.full((40, 60, 3), 255, np.uint8), alpha])
    np.testing.assert_array_equal(image(encoded(shape, ".png")), np.repeat(alpha, 3, axis=2))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty_file"),
        (b"hello", "undecodable"),
        (b"GIF89a" + bytes(40), "undecodable"),
        (b"OggS" + bytes(40), "undecodable"),
        (b"\x1f\x8b\x08" + bytes(40), "undecodable"),
        (png(60_000, 60_000, 1, 0, b"")[:5000], "too_many_pixels"),
        (png(0, 1, 8, 0, b""), "undecodable"),
        (png(2, 2, 8, 5, b"ab"), "undecodable"),
        (png(200, 2, 8, 0, b"ab"), "undecodable"),
        (png(2, 1, 8, 0, b"ab").replace(b"IHDR", b"IHDX"), "undecodable"),
        (png(2, 1, 8, 0, b"ab")[:-20] + b"\0" + png(2, 1, 8, 0, b"ab")[-19:], "undecodable"),
        (chunk(b"", b"").join([b"\x89PNG\r\n\x1a\n", b""]), "truncated"),
        (b"\xff\xd8\xff\xd9" + bytes(20), "undecodable"),
        (b"\xff\xd8\xff", "truncated"),
        (b"RIFF\x04\0\0\0WEBP", "undecodable"),
    ],
)
def test_what_is_no_picture(data: bytes, expected: str) -> None:
    assert reason(data) == expected


@pytest.mark.parametrize("extension", [".png", ".jpg", ".webp"])
@given(share=st.floats(0, 0.999))
def test_a_cut_file_is_truncated(extension: str, share: float) -> None:
    data = encoded(scene(), extension)
    cut = max(16, int(len(data) * share))
    assert reason(data[:cut]) == "truncated"


@pytest.mark.parametrize("extension", [".png", ".jpg", ".webp"])
def test_bytes_after_the_picture_are_ignored(extension: str) -> None:
    data = encoded(scene(), extension)
    np.testing.assert_array_equal(image(data + b"\xff\xd8junk"), image(data))


@pytest.mark.parametrize("extension", [".png", ".jpg", ".webp"])
def test_the_header_decides_on_size(extension: str) -> None:
    data = encoded(scene(), extension)
    assert image(data, max_pixels=40 * 60).shape == (40, 60, 3)
    assert reason(data, max_pixels=40 * 60 - 1) == "too_many_pixels"


def test_a_huge_picture_costs_no_memory() -> None:
    import tracemalloc

    bomb = png(60_000, 60_000, 8, 6, b"")
    tracemalloc.start()
    assert reason(bomb) == "too_many_pixels"
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_second_header_does_not_pass_the_limit() -> None:
    large = png(60_000, 60_000, 8, 0, b"")
    small = chunk(b"teXt", large[16:33])
    assert reason(large[:8] + small + large[8:]) == "undecodable"


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP file."""
    body = b"".join(kind + struct.pack("<I", len(data)) + data for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def second_sizes() -> dict[str, bytes]:
    """Files of a scene that tell another, smaller size before or after their own."""
    png_file, jpeg = encoded(scene(), ".png"), encoded(scene(), ".jpg")
    ihdr = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    start = jpeg.index(b"\xff\xc0")
    sof = jpeg[start : start + 5] + struct.pack(">HH", 1, 1) + jpeg[start + 9 : start + 19]
    files = {
        "png, before": png_file[:33] + ihdr + png_file[33:],
        "png, after": png_file[:-12] + ihdr + png_file[-12:],
        "jpeg, before": jpeg[:start] + sof + jpeg[start:],
        "jpeg, after": jpeg[:-2] + sof + jpeg[-2:],
    }
    canvas = b"VP8X", bytes(10)
    right_canvas = b"VP8X", bytes([0, 0, 0, 0, 59, 0, 0, 39, 0, 0])
    for kind, quality in (("lossy", 90), ("lossless", 101)):
        webp = encoded(scene(), ".webp", cv2.IMWRITE_WEBP_QUALITY, quality)
        pixels = webp[12:16], webp[20:]
        files |= {
            f"webp, {kind}, before": riff(canvas, pixels),
            f"webp, {kind}, between": riff(right_canvas, canvas, pixels),
            f"webp, {kind}, after": riff(pixels, canvas),
        }
    return files


@pytest.mark.parametrize("name", second_sizes())
def test_a_second_size_hides_none(name: str) -> None:
    assert reason(second_sizes()[name], max_pixels=2000) in ("undecodable", "too_many_pixels")


def test_a_canvas_of_the_pictures_size_is_read() -> None:
    webp = encoded(scene(), ".webp", cv2.IMWRITE_WEBP_QUALITY, 101)
    canvas = b"VP8X", bytes([0, 0, 0, 0, 59, 0, 0, 39, 0, 0])
    np.testing.assert_array_equal(image(riff(canvas, (b"VP8L", webp[20:]))), scene())


def test_a_damaged_transparency_is_not_passed_over() -> None:
    data = png(2, 1, 8, 3, b"\0\1", PALETTE, chunk(b"tRNS", b"\0\xff"))
    assert reason(data.replace(b"tRNS\0\xff", b"tRNS\0\x7f")) == "undecodable"


def test_a_jpeg_of_endless_scans() -> None:
    data = encoded(scene(), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    first = data.index(b"\xff\xda")
    second = data.index(b"\xff\xda", first + 2)
    scans = data[:second] + data[first:second] * 200 + data[second:]
    assert reason(scans) == "undecodable"


def test_scans_and_pixels_that_are_not_there_cost_little() -> None:
    data = encoded(scene(), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    size = data.index(b"\xff\xc2") + 5
    data = data[:size] + struct.pack(">HH", 2000, 2000) + data[size + 4 :]
    starts = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    scan = data[starts[1] : starts[2]]
    scans = data[: starts[1]] + scan * (MAX_SCANS - len(starts)) + data[starts[1] :]
    began = time.process_time()
    assert image(scans, max_pixels=4_000_000).shape == (2000, 2000, 3)
    assert time.process_time() - began < 5
