"""The parsers of foreign bytes: good examples of each, and how it is asked to read one.

Options are such that a good file needs little: what takes more than the child has is a fault.
"""

from __future__ import annotations

import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.modalities.audio.ffmpeg import LARGEST_ALLOCATION

SIDE, MAX_PIXELS, MAX_SECONDS = 48, 1_000_000, 4.0


class Target(NamedTuple):
    """`examples` makes good files in an empty folder; `read` reads a changed one there.

    `memory_bytes` is what reading may take beyond what the process has when it begins.
    """

    examples: Callable[[Path], list[bytes]]
    read: Callable[[bytes, Path], object]
    memory_bytes: int = 512 << 20


def _pictures(folder: Path) -> list[bytes]:
    import cv2

    from tests.modalities.image.pictures import chunk, encoded, exif, png, scene, with_exif

    animation = cv2.Animation()
    animation.frames = [scene(SIDE, SIDE), 255 - scene(SIDE, SIDE)]
    animation.durations = np.array([100, 100])
    alpha = np.dstack([scene(SIDE, SIDE), scene(SIDE, SIDE)[:, :, 0]])
    return [
        encoded(scene(SIDE, SIDE), ".png"),
        encoded(alpha, ".png"),
        png(8, 8, 8, 3, bytes(range(8)), chunk(b"PLTE", bytes(24)), chunk(b"tRNS", b"\0\1")),
        png(8, 8, 8, 0, bytes(range(8)), chunk(b"tRNS", b"\0\1"), chunk(b"eXIf", exif(6))),
        with_exif(encoded(scene(SIDE, SIDE), ".jpg"), exif(6)),
        encoded(scene(SIDE, SIDE), ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encoded(scene(SIDE, SIDE), ".webp", cv2.IMWRITE_WEBP_QUALITY, 90),
        encoded(scene(SIDE, SIDE), ".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
        encoded(alpha, ".webp", cv2.IMWRITE_WEBP_QUALITY, 90),
        *(cv2.imencodeanimation(kind, animation)[1].tobytes() for kind in (".webp", ".png")),
    ]


def _clean_picture(data: bytes, folder: Path) -> None:
    from pipeline.modalities.image.clean import Options, clean

    _, measured = clean(data, "", Options(max_pixels=MAX_PIXELS, max_side=SIDE, svg_seconds=2))
    assert int(measured["width"]) * int(measured["height"]) <= MAX_PIXELS


def _drawings(folder: Path) -> list[bytes]:
    from tests.modalities.image.pictures import svg

    return [
        svg(
            '<defs><linearGradient id="g"><stop stop-color="red"/></linearGradient>'
            '<pattern id="p" width="9" height="9"><circle r="4"/></pattern></defs>'
            '<rect id="r" width="50" height="50" fill="url(#g)" transform="rotate(9)"/>'
            '<use x:href="#r" x="20"/><path d="M0 0L9 9C1 2 3 4 5 6z" style="fill:url(#p)"/>'
        ),
        svg(
            '<filter id="f"><feGaussianBlur stdDeviation="2"/></filter><mask id="m">'
            '<rect width="9" height="9" fill="white"/></mask><style>rect {fill: blue}</style>'
            '<g mask="url(#m)" filter="url(#f)"><rect width="90" height="40"/></g>'
            '<text y="20">word</text><a href="http://example.org"><g/></a>'
        ),
        '<?xml version="1.0" encoding="UTF-16"?>'.encode("utf-16")
        + svg('<rect width="50" height="50"/>').decode().encode("utf-16")[2:],
    ]


def _sounds(folder: Path) -> list[bytes]:
    import soundfile

    sound = (np.random.default_rng(0).standard_normal((4000, 2)) / 9).astype(np.float32)
    kinds = [
        ("WAV", "PCM_16"),
        ("WAV", "IMA_ADPCM"),
        ("WAV", "FLOAT"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
        ("AIFF", "PCM_24"),
        ("AU", "ULAW"),
        ("CAF", "ALAC_16"),
        ("W64", "PCM_16"),
        ("RF64", "PCM_16"),
    ]
    files = []
    for container, coding in kinds:
        file = io.BytesIO()
        soundfile.write(file, sound, 16_000, format=container, subtype=coding)
        files.append(file.getvalue())
    return files


def _clean_sound(data: bytes, folder: Path) -> None:
    from pipeline.modalities.audio.clean import Options, clean

    clean(data, "", Options(max_seconds=MAX_SECONDS, max_channels=2))


def _films(folder: Path) -> list[bytes]:
    from pipeline.modalities.video.examples import animation, film, moving

    pictures = moving(6, SIDE, SIDE)
    kinds = [
        ("mp4", "libx264"),
        ("mp4", "mpeg4"),
        ("matroska", "libx265"),
        ("webm", "libvpx"),
        ("webm", "libvpx-vp9"),
        ("avi", "mpeg4"),
        ("ogg", "libvpx"),
        ("mpegts", "libx264"),
        ("mpeg", "mpeg2video"),
    ]
    options = {
        # With cutree x265 writes outside its memory, pictures being as small as these.
        "libx265": {"x265-params": "log-level=none:cutree=0"},
        "mpeg2video": {"strict": "unofficial"},
    }
    films = [film(pictures, kind, codec, options=options.get(codec)) for kind, codec in kinds]
    return films + [animation(ending, pictures) for ending in (".gif", ".webp")]


def _clean_film(data: bytes, folder: Path) -> None:
    from pipeline.modalities.video.clean import Options, clean

    options = Options(max_pixels=MAX_PIXELS, max_side=SIDE, max_seconds=MAX_SECONDS, every_ms=100)
    clip, measured = clean(data, "", options)
    assert float(measured["duration"]) <= MAX_SECONDS
    assert list(clip.times) == sorted(set(clip.times))
    assert len(clip) <= options.max_frames


def _films_with_tracks(folder: Path) -> list[bytes]:
    from tests.modalities.video.known import film

    kinds = (("matroska", "pcm_s16le"), ("matroska", "libopus"), ("mp4", "aac"), ("mpegts", "mp2"))
    return [film(1, *kind, words=kind[1] == "pcm_s16le") for kind in kinds]


def _take_tracks(data: bytes, folder: Path) -> None:
    from pipeline.core.errors import Rejected
    from pipeline.core.spans import Span
    from pipeline.modalities import cleaning_of
    from pipeline.modalities.video.tracks import GIVES, take

    given = {"max_seconds": MAX_SECONDS, "max_pixels": MAX_PIXELS}
    for modality in sorted(GIVES):
        kind = cleaning_of(modality).Options
        options = kind(**{name: given[name] for name in given if name in kind.model_fields})
        for span in (None, Span(300, 700)):
            try:
                taken, _ = take(data, modality, span, options)
            except Rejected:
                continue
            assert len(taken) < 16 * MAX_PIXELS


def _subtitles(folder: Path) -> list[bytes]:
    from tests.modalities.video.known import subtitles

    text = subtitles(5)
    vtt = "WEBVTT\n\nNOTE x\n\n" + text.replace(",", ".")
    return [text.encode(), vtt.encode("utf-16"), f"{{\\an8}}<i>{text}</i>".encode()]


def _take_words(data: bytes, folder: Path) -> None:
    from pipeline.core.spans import Span
    from pipeline.modalities.text.clean import Options
    from pipeline.modalities.text.tracks import take

    take(data, "text", Span(500, 2500), Options())


def _texts(folder: Path) -> list[bytes]:
    text = "Ähren im Wind, schÃ¶n &amp; <b>gut</b> \x1b[31mrot\x1b[0m 字 ﬁ ½\r\n" * 3
    encodings = ("utf-8", "utf-8-sig", "utf-16", "utf-32")
    return [text.encode(encoding) for encoding in encodings]


def _clean_text(data: bytes, folder: Path) -> None:
    from pipeline.modalities.text.clean import Options, clean

    clean(data, "", Options())


def _rows() -> list[dict[str, object]]:
    return [{"file_name": f"{i}.png", "text": "word", "label": i, "split": "dev"} for i in range(9)]


def _csv(folder: Path) -> list[bytes]:
    lines = [",".join(map(str, row.values())) for row in _rows()]
    header = ",".join(_rows()[0])
    return ["\n".join([header, *lines, '"a ""b""",c,1,test']).encode()]


def _jsonl(folder: Path) -> list[bytes]:
    return ["".join(json.dumps(row) + "\n" for row in _rows()).encode()]


def _parquet(folder: Path) -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(_rows()), folder / "table")
    return [(folder / "table").read_bytes()]


def _scan_as(name: str) -> Callable[[bytes, Path], object]:
    def scan_table(data: bytes, folder: Path) -> object:
        from pipeline.raw.folders import LocalFolder
        from pipeline.sources.folder import Options, scan

        (folder / name).write_bytes(data)
        return scan(LocalFolder(folder), Options(targets={"category": "label"}))

    return scan_table


def _part(folder: Path) -> list[bytes]:
    from pipeline.store.format.layout import features_table, write_features

    files = []
    for dtype in ("float32", "float16"):
        values = np.random.default_rng(0).standard_normal((50, 6)).astype(dtype)
        digests = [f"{i:064x}" for i in range(50)]
        table = features_table(digests, ["k"] * 50, [0] * 50, np.ones(50, np.int32), values)
        for profile in ("mapped", "archive"):
            write_features(table, folder / "part", {b"pipeline": b"{}"}, profile)  # type: ignore[arg-type]
            files.append((folder / "part").read_bytes())
    return files


def _part_without_manifest(folder: Path) -> list[bytes]:
    import pyarrow as pa

    from pipeline.parts.part import FOOTER, write_table

    table = pa.table({"digest": [f"{i:064x}" for i in range(20)], "view": [0] * 20})
    footer = json.dumps({"key": "part", "rejects": [{"reason": "x"}], "function": {}})
    write_table(table, folder / "part", {FOOTER: footer.encode()})
    return [(folder / "part").read_bytes()]


def _recognise(data: bytes, folder: Path) -> None:
    from pipeline.core.files.digest_cache import DigestCache
    from pipeline.parts.valid_parts import is_whole

    (folder / "part.parquet").write_bytes(data)
    is_whole(folder / "part.parquet", None, DigestCache({}))


def _read_vectors(data: bytes, folder: Path) -> None:
    from pipeline.store.format.vectors import vectors_of

    path = folder / "part.parquet"
    path.write_bytes(data)
    vectors = vectors_of(path)
    vectors.read_into(np.empty((vectors.rows, *vectors.shape), vectors.dtype))
    sum(float(block.sum()) for block in vectors.blocks())
    rows = np.arange(0, vectors.rows, 7)
    vectors.take(rows, np.empty((len(rows), *vectors.shape), vectors.dtype), np.arange(len(rows)))


def _checkpoint(folder: Path) -> list[bytes]:
    import torch

    whole = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = {"turned": whole.T, "cut": whole[1:3, 2:], "count": torch.tensor(7)}
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    return [(folder / "old.pth").read_bytes()]


def _load_checkpoint(data: bytes, folder: Path) -> None:
    from pipeline.encoders._checkpoint import load

    (folder / "changed.pth").write_bytes(data)
    sum(float(array.sum()) for array in load(folder / "changed.pth").values())


def _model(name: str) -> Callable[[Path], list[bytes]]:
    def examples(folder: Path) -> list[bytes]:
        from tests.models.training.test_loop import fit, save_to

        save_to(folder, fit(["pixels", "words"], epochs=1))
        return [(folder / name).read_bytes()]

    return examples


def _graph(folder: Path) -> list[bytes]:
    from pipeline.models.compression.export import onnx_graph
    from pipeline.models.saving import TrainedModel, save_graph
    from tests.models.synthetic import SETS, options
    from tests.models.training.test_loop import CLASSES, WORLD, fit, split_of

    features = ["pixels", "words"]
    trained = fit(features, epochs=1)
    sets = list(split_of(WORLD, "test", {name: SETS[name] for name in features}).sets)
    model = TrainedModel(
        trained.network, sets, options(features=features), CLASSES, trained.priors, {}
    )
    save_graph(folder, onnx_graph(trained.network, sets), model)
    return [(folder / "model.onnx").read_bytes()]


def _load_model(name: str) -> Callable[[bytes, Path], object]:
    def load_model(data: bytes, folder: Path) -> object:
        from pipeline.models.saving import load_model

        (folder / name).write_bytes(data)
        return load_model(folder)

    return load_model


def _packages(folder: Path) -> list[bytes]:
    import gzip

    from tests.sources.test_packages import wheel
    from tests.stages.plans.test_fetch import deb, tar

    return [
        deb(lzma.compress(tar())),
        deb(gzip.compress(tar()), "data.tar.gz"),
        deb(tar(), "data.tar"),
        gzip.compress(tar()),
        wheel(),
    ]


def _unpack(data: bytes, folder: Path) -> None:
    from pipeline.sources._archives import unpack

    (folder / "package").write_bytes(data)
    unpack(folder / "package", {"usr/share/tuxpaint/stamps": ""}, folder / "out")


def _sounds_xml(folder: Path) -> list[bytes]:
    sound = '<sound name="\u00c9" file="fr/alpha/a-26.ogg" />'
    return [f'<?xml version="1.0" encoding="utf-8"?><klettres>{sound * 3}</klettres>'.encode()]


def _names(data: bytes, folder: Path) -> object:
    from pipeline.sources.klettres import names

    return names(data)


# FFmpeg asks for what a file claims, and touches none of it.
FFMPEG_BYTES = LARGEST_ALLOCATION + (512 << 20)

TARGETS = {
    "picture": Target(_pictures, _clean_picture),
    "svg": Target(_drawings, _clean_picture),
    "sound": Target(_sounds, _clean_sound, FFMPEG_BYTES),
    "film": Target(_films, _clean_film, FFMPEG_BYTES),
    "tracks": Target(_films_with_tracks, _take_tracks, FFMPEG_BYTES),
    "subtitles": Target(_subtitles, _take_words),
    "text": Target(_texts, _clean_text),
    "sounds.xml": Target(_sounds_xml, _names),
    "csv": Target(_csv, _scan_as("metadata.csv")),
    "jsonl": Target(_jsonl, _scan_as("metadata.jsonl")),
    "parquet": Target(_parquet, _scan_as("metadata.parquet")),
    "part": Target(_part, _read_vectors),
    "footer": Target(_part_without_manifest, _recognise),
    "checkpoint": Target(_checkpoint, _load_checkpoint),
    "weights": Target(_model("model.safetensors"), _load_model("model.safetensors")),
    "graph": Target(_graph, _load_model("model.onnx")),
    "card": Target(_model("model.json"), _load_model("model.json")),
    "package": Target(_packages, _unpack),
}
