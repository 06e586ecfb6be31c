"""The files that the benchmark works on: the stamps, every n-th of them, and variants of them.

A corpus is a batch of a `folder` source: <batch>/image/<digest>.<suffix>, <batch>/audio/…, and a
metadata.csv with a row a file. Files of equal bytes stand there once, so that all jobs have the
same rows.
"""

from __future__ import annotations

import io
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.kernels import PROJECT, params
from pipeline.core.files.digest import digest_bytes
from pipeline.core.registry import load
from pipeline.raw.folders import LocalFolder

# A tone of 50 dB below full scale, at another pitch in each variant.
TONE = 0.003
TONE_HERTZ = 200.0
SIDES = 8


def stamps() -> Path:
    """The fetched stamps, data/raw/stamps/<version>."""
    options: Any = params().fetch["stamps"]
    return PROJECT / "data" / "raw" / "stamps" / str(options.version)


def assets(folder: Path) -> dict[str, list[Path]]:
    """Modality → the pictures and recordings that samples of the stamps use, by path.

    Pictures in SVG are left out: of the peers' libraries, none draws them.
    """
    source = params().sources["stamps"]
    scan = load("sources", source.kind).scan(LocalFolder(folder), source.options)
    return {
        modality: sorted(
            {
                folder / str(sample.assets[modality])
                for sample in scan.samples
                if modality in sample.assets and not str(sample.assets[modality]).endswith(".svg")
            }
        )
        for modality in ("image", "audio")
    }


def put_batch(
    batch: Path,
    chosen: dict[str, list[Path]],
    variants: range = range(1),
    workers: int = 1,
) -> None:
    """Make a batch of the chosen files, each in the given variants; 0 is the file itself.

    A batch that is there already is left as it is; remove it to have it made anew.
    """
    if batch.exists():
        return
    scratch = batch.with_name(f".{batch.name}")
    shutil.rmtree(scratch, ignore_errors=True)
    names = []
    with ProcessPoolExecutor(workers) as pool:
        for modality, paths in chosen.items():
            (scratch / modality).mkdir(parents=True)
            made = [pool.submit(_put, path, scratch / modality, variants) for path in paths]
            names += sorted({f"{modality}/{name}" for future in made for name in future.result()})
    (scratch / "metadata.csv").write_text("".join(f"{name}\n" for name in ["file_name", *names]))
    scratch.rename(batch)


def _put(path: Path, folder: Path, variants: range) -> list[str]:
    names = []
    for number in variants:
        data = variant(path.read_bytes(), path.suffix, number)
        name = f"{digest_bytes(data)}{path.suffix}"
        (folder / name).write_bytes(data)
        names.append(name)
    return names


def variant(data: bytes, suffix: str, number: int) -> bytes:
    """The same picture or recording with other pixels or samples; 0 is the file as it is.

    A picture gets a small rectangle and a recording a quiet tone, so that it takes as long to
    decode as before. Equal arguments give equal pixels and samples; libsndfile numbers its Ogg
    streams by chance.
    """
    if number == 0:
        return data
    return _png(data, number) if suffix == ".png" else _sound(data, number)


def _png(data: bytes, number: int) -> bytes:
    import numpy as np

    from pipeline.modalities.image.opencv import cv2

    image: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    height, width = (max(1, n // SIDES) for n in image.shape[:2])
    depth = np.iinfo(image.dtype).max
    top, left = _place(number, image.shape[0] - height), _place(3 * number, image.shape[1] - width)
    colour = (number * 23 % 256) / 255 * depth
    box = image[top : top + height, left : left + width]
    box[...] = colour
    if image.ndim == 3 and image.shape[2] == 4:
        box[..., 3] = depth
    encoded: bytes = cv2.imencode(".png", image)[1].tobytes()
    return encoded


def _place(number: int, room: int) -> int:
    return number * room // 31 % (room + 1)


def _sound(data: bytes, number: int) -> bytes:
    import numpy as np
    import soundfile

    file = soundfile.SoundFile(io.BytesIO(data))
    samples = file.read(dtype="float32", always_2d=True)
    pitch = TONE_HERTZ * (1 + number / 12)
    seconds = np.arange(len(samples), dtype=np.float32) / file.samplerate
    tone = TONE * np.sin(2 * np.pi * pitch * seconds, dtype=np.float32)
    encoded = io.BytesIO()
    soundfile.write(
        encoded, samples + tone[:, None], file.samplerate, format=file.format, subtype=file.subtype
    )
    return encoded.getvalue()
