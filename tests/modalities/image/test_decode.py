from __future__ import annotations

import base64
import contextlib
import io
import re
import struct
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as pillow
from PIL import ImageCms

from pipeline.core.errors import Rejected
from pipeline.modalities.image.decode import decode, opaque, upright
from pipeline.modalities.image.header import MAX_SCANS
from pipeline.modalities.image.opencv import cv2
from tests.modalities.image.pictures import chunk, encoded, exif, png, scene, with_exif

# 8 by 8 pixels in cyan, magenta, yellow and black, of which the second and third are full.
CMYK = base64.b64decode(
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwANCQoLCggNCwoLDg4NDxMgFRMSEhMnHB4XIC4pMTAuKS0sMzpKPjM2RjcsLUBX"
    "QUZMTlJTUjI+WmFaUGBKUVJP/8AAFAgACAAIBEMRAE0RAFkRAEsRAP/EABQAAQAAAAAAAAAAAAAAAAAAAAf/xAAUEAEA"
    "AAAAAAAAAAAAAAAAAAAA/9oADgRDAE0AWQBLAAA/AE4YDAnP/9k="
)


def image(data: bytes, max_pixels: int = 1_000_000, keep_damaged: bool = False) -> np.ndarray:
    return decode(data, max_pixels, 64, 5, keep_damaged)


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
        (png(200, 2, 8, 0, b"ab"), "damaged"),
        (png(2, 1, 8, 0, b"ab").replace(b"IHDR", b"IHDX"), "undecodable"),
        (png(2, 1, 8, 0, b"ab")[:-20] + b"\0" + png(2, 1, 8, 0, b"ab")[-19:], "damaged"),
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
    cut = data[: max(16, int(len(data) * share))]
    if len(data) - len(cut) > 12:
        assert reason(cut) == "truncated"
    else:  # Perhaps only the end mark is missing.
        with contextlib.suppress(Rejected):
            np.testing.assert_array_equal(image(cut), image(data))


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

    large, small = png(60_000, 60_000, 8, 6, b""), png(1, 1, 8, 6, bytes(4))
    empty = small[:16] + struct.pack(">II", 0, 2**31) + small[24:]
    tracemalloc.start()
    assert reason(large) == "too_many_pixels"
    assert reason(empty) == "undecodable"
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
    assert reason(data.replace(b"tRNS\0\xff", b"tRNS\0\x7f")) == "damaged"


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
    assert reason(scans, max_pixels=4_000_000) == "damaged"
    assert time.process_time() - began < 5


def natural() -> np.ndarray:
    """RGB of 160 by 240 that no format packs into few bytes."""
    rough = np.random.default_rng(0).normal(128, 50, (20, 30, 3))
    smooth = cv2.resize(rough, (240, 160), interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(1).normal(0, 5, smooth.shape)
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)


PROGRESSIVE = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTS = (cv2.IMWRITE_JPEG_RST_INTERVAL, 4)


@pytest.mark.parametrize("flags", [(), PROGRESSIVE, RESTARTS])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_half_a_jpeg_closed_by_an_end_mark_is_damaged(flags: tuple[int, ...], share: float) -> None:
    data = encoded(natural(), ".jpg", *flags)
    closed = data[: int(len(data) * share)] + b"\xff\xd9"
    assert reason(closed) == "damaged"
    assert image(closed, keep_damaged=True).shape == natural().shape


def test_a_progressive_jpeg_that_lacks_its_last_scan_is_damaged() -> None:
    data = encoded(natural(), ".jpg", *PROGRESSIVE)
    last = data.rindex(b"\xff\xda")
    assert reason(data[:last] + b"\xff\xd9") == "damaged"
    assert reason(data[:last]) == "truncated"


@pytest.mark.parametrize("flags", [(), PROGRESSIVE])
def test_a_jpeg_with_changed_bytes_is_damaged(flags: tuple[int, ...]) -> None:
    data = bytearray(encoded(natural(), ".jpg", *flags))
    middle = len(data) // 2
    data[middle : middle + 12] = bytes(range(100, 112))
    assert reason(bytes(data)) == "damaged"
    assert image(bytes(data), keep_damaged=True).shape == natural().shape


@pytest.mark.parametrize("lost", [1, 7, 8, 16])
def test_a_jpeg_that_lacks_restart_intervals_is_damaged(lost: int) -> None:
    """As many as eight have the marks that were expected, and only the end comes too early."""
    data = encoded(natural(), ".jpg", *RESTARTS)
    marks = [match.start() for match in re.finditer(rb"\xff[\xd0-\xd7]", data)]
    assert reason(data[: marks[5]] + data[marks[5 + lost] :]) == "damaged"


def changed_bytes(data: bytes, count: int) -> Iterator[bytes]:
    """Each time another byte, anywhere behind the header."""
    rng = np.random.default_rng(0)
    for at in rng.integers(40, len(data) - 2, count):
        damaged = bytearray(data)
        damaged[at] ^= int(rng.integers(1, 256))
        yield bytes(damaged)


def test_a_webp_whose_data_is_not_used_up_is_damaged() -> None:
    data = encoded(natural(), ".webp", cv2.IMWRITE_WEBP_QUALITY, 90)
    outcomes = Counter[str]()
    for damaged in changed_bytes(data, 60):
        try:
            image(damaged)
            outcomes["kept"] += 1
        except Rejected as reject:
            outcomes[reject.reason] += 1
        else:
            assert image(damaged, keep_damaged=True).shape == natural().shape
    assert outcomes["damaged"] > 0  # more than libwebp tells by itself
    assert outcomes["kept"] <= 3


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("method", [0, 4])
def test_a_whole_webp_is_used_up(lossless: bool, method: int) -> None:
    rng = np.random.default_rng(method)
    noise = rng.integers(0, 256, (9, 31, 3)).astype(np.uint8)
    for picture in (natural(), noise, noise[:1, :1], np.full_like(natural(), 200), natural()[:3]):
        for quality in (0, 50, 100):
            file = io.BytesIO()
            options = {"lossless": lossless, "quality": quality, "method": method}
            pillow.fromarray(picture).save(file, "WEBP", **options)
            assert image(file.getvalue()).shape == picture.shape


@pytest.mark.parametrize("flags", [(), PROGRESSIVE, RESTARTS])
def test_a_whole_jpeg_without_its_end_mark(flags: tuple[int, ...]) -> None:
    data = encoded(natural(), ".jpg", *flags)
    for cut in (1, 2):
        np.testing.assert_array_equal(image(data[:-cut]), image(data))
    assert reason(data[:-40]) == "truncated"


@pytest.mark.parametrize("quality", [90, 101])
def test_a_webp_whose_size_errs(quality: int) -> None:
    data = encoded(natural(), ".webp", cv2.IMWRITE_WEBP_QUALITY, quality)
    for change in (-2, -1, 1, 2, 1000):
        size = struct.pack("<I", len(data) - 8 + change)
        np.testing.assert_array_equal(image(data[:4] + size + data[8:]), image(data))
    assert reason(data[:-20]) == "truncated"


def test_a_png_without_its_end_or_with_half_its_pixels() -> None:
    data = encoded(natural(), ".png")
    np.testing.assert_array_equal(image(data[:-12]), natural())
    pixels = data.index(b"IDAT") - 4
    body = data[pixels + 8 : pixels + 8 + 20_000]
    closed = data[:pixels] + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    assert reason(closed) == "damaged"
    assert reason(closed[:-12]) == "truncated"
    kept = image(closed, keep_damaged=True)
    np.testing.assert_array_equal(kept[:10], natural()[:10])
    assert not kept[-10:].any()


def test_a_jpegs_pixels_are_those_of_opencv() -> None:
    for flags in ((), PROGRESSIVE):
        data = encoded(natural(), ".jpg", *flags)
        expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        np.testing.assert_array_equal(image(data), expected)


@pytest.mark.parametrize(
    ("blocks", "orientation"),
    [
        ([exif(6), b"MM\0*\0\0\0\x08\0\0"], 6),
        ([b"MM\0*\0\0\0\x08\0\0", exif(6)], 6),
        ([exif(6), exif(3)], 6),
        ([exif(0), exif(3)], 3),
    ],
)
def test_the_first_exif_that_says_an_orientation_counts(
    blocks: list[bytes], orientation: int
) -> None:
    plain, data = encoded(scene(), ".jpg"), encoded(scene(), ".jpg")
    for block in reversed(blocks):
        data = with_exif(data, block)
    np.testing.assert_array_equal(image(data), image(with_exif(plain, exif(orientation))))
    file = encoded(scene(), ".png")
    chunks = b"".join(chunk(b"eXIf", block) for block in blocks)
    turned = image(file[:33] + chunks + file[33:])
    np.testing.assert_array_equal(turned, upright(scene(), orientation))


def test_an_orientation_in_xmp_alone_turns_nothing() -> None:
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
    data = encoded(scene(), ".jpg")
    segment = b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp
    assert image(data[:2] + segment + data[2:]).shape == scene().shape


def test_sixteen_bits_of_which_one_grey_or_colour_is_clear() -> None:
    grey = png(2, 1, 16, 0, struct.pack(">HH", 1000, 40_000), chunk(b"tRNS", b"\x03\xe8"))
    np.testing.assert_array_equal(image(grey), [[[255] * 3, [156] * 3]])
    row = struct.pack(">6H", 1000, 2000, 3000, 25_700, 51_400, 257)
    colours = png(2, 1, 16, 2, row, chunk(b"tRNS", struct.pack(">3H", 1000, 2000, 3000)))
    np.testing.assert_array_equal(image(colours), [[[255] * 3, [100, 200, 1]]])
    near = png(2, 1, 16, 2, row, chunk(b"tRNS", struct.pack(">3H", 1000, 2000, 3001)))
    np.testing.assert_array_equal(image(near), [[[4, 8, 12], [100, 200, 1]]])


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_samples_of_fewer_bits_in_sixteen(bits: int) -> None:
    full = 2**bits - 1
    row = struct.pack(">3H", 0, 2 ** (bits - 1), full)
    np.testing.assert_array_equal(image(png(3, 1, 16, 0, row))[0, :, 0], [0, 128, 255])
    grey = np.array([[0, 2 ** (bits - 1), full]], np.uint16)
    colours = np.repeat(grey[:, :, None], 3, axis=2)
    for picture in (grey, colours):
        tiff = cv2.imencode(".tiff", picture)[1].tobytes()
        np.testing.assert_array_equal(image(tiff)[0, :, 1], [0, 128, 255])


def adobe_rgb() -> bytes:
    """A profile of Adobe RGB (1998): its primaries, gamma 563/256, and white of D65 in D50."""

    def s15(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65_536)) for value in values)

    def text(words: bytes) -> bytes:
        return b"desc\0\0\0\0" + struct.pack(">I", len(words) + 1) + words + bytes(1 + 78)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, 563)
    tags = {
        b"desc": text(b"test of wide colours"),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": b"XYZ \0\0\0\0" + s15(0.95045, 1.0, 1.08905),
        b"rXYZ": b"XYZ \0\0\0\0" + s15(0.60974, 0.31111, 0.01947),
        b"gXYZ": b"XYZ \0\0\0\0" + s15(0.20528, 0.62567, 0.06087),
        b"bXYZ": b"XYZ \0\0\0\0" + s15(0.14919, 0.06322, 0.74457),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name + struct.pack(">II", at + len(body), len(value))
        body += value
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"none", 0x0210_0000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + s15(0.9642, 1.0, 0.8249)
    return head.ljust(128, b"\0") + table + body


def with_profile(picture: np.ndarray, format: str, profile: bytes) -> bytes:
    file = io.BytesIO()
    options = {"quality": 100, "subsampling": 0} if format == "JPEG" else {}
    if format == "WEBP":
        options = {"lossless": True}
    pillow.fromarray(picture).save(file, format, icc_profile=profile, **options)
    return file.getvalue()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_colours_of_a_profile_become_srgb(format: str) -> None:
    green = np.full((16, 16, 3), (60, 190, 60), np.uint8)
    plain = image(with_profile(green, format, b"")).astype(int)
    np.testing.assert_allclose(plain, green, atol=4)
    made = image(with_profile(green, format, adobe_rgb()))
    np.testing.assert_allclose(made[8, 8].astype(int), [0, 191, 40], atol=5)


def test_a_profile_leaves_transparency_alone() -> None:
    clear = np.zeros((16, 16, 4), np.uint8)
    clear[:, 8:] = (60, 190, 60, 255)
    made = image(with_profile(clear, "PNG", adobe_rgb()))
    np.testing.assert_array_equal(made[0, 0], [255] * 3)
    np.testing.assert_allclose(made[0, 12].astype(int), [0, 191, 40], atol=2)


def test_a_profile_of_srgb_or_none_at_all_changes_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"", b"no profile at all"):
        np.testing.assert_array_equal(image(with_profile(natural(), "PNG", profile)), natural())


@pytest.mark.parametrize(
    ("format", "error"),
    [("GIF", 40), ("BMP", 0), ("TIFF", 0), ("JPEG2000", 6), ("AVIF", 6)],
)
def test_formats_of_pillow(format: str, error: float) -> None:
    file = io.BytesIO()
    pillow.fromarray(natural()).save(file, format)
    data = file.getvalue()
    assert np.abs(image(data).astype(int) - natural()).mean() <= error
    assert reason(data, max_pixels=natural().size // 3 - 1) == "too_many_pixels"
    assert reason(data[: len(data) // 2]) in ("damaged", "truncated", "undecodable")


def test_the_first_picture_of_a_gif() -> None:
    frames = [pillow.fromarray(np.full((20, 30), level, np.uint8)) for level in (40, 200)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(image(file.getvalue()), np.full((20, 30, 3), 40))


def test_transparency_and_orientation_of_other_formats() -> None:
    clear = np.dstack([scene(), np.full((40, 60), 255, np.uint8)])
    clear[:20, :30, 3] = 0
    file = io.BytesIO()
    pillow.fromarray(clear).save(file, "TIFF", tiffinfo={0x0112: 6})
    made = image(file.getvalue())
    assert made.shape == (60, 40, 3)
    np.testing.assert_array_equal(made[0, -1], [255] * 3)


def test_heic() -> None:
    pytest.importorskip("pi_heif")
    assert reason(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)) == "undecodable"


def test_a_damaged_picture_of_pillow_can_be_kept() -> None:
    file = io.BytesIO()
    pillow.fromarray(natural()).save(file, "BMP")
    half = file.getvalue()[:60_000]
    assert reason(half) == "damaged"
    assert image(half, keep_damaged=True).shape == natural().shape
