"""Digests of what each encoder, cleaning and augmentation computes, as JSON: one process a set."""

from __future__ import annotations

import os
import sys

from pipeline.core.machine.environment import establish

if __name__ == "__main__" and sys.argv[1] != "free":
    establish(sys.argv[1])

import hashlib
import json
import struct
from typing import Any

from pipeline.core.machine.processor import HELD
from pipeline.core.randomness import generator
from pipeline.core.registry import names
from pipeline.modalities import augmentation_of, cleaning_of, content_of, examples_of, modalities
from tests.encoders import examples

# Files that need no encoder of media to be made.
TEXT = "Ein kleiner, weißer Hund und τρία πρόβατα".encode()
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="60">'
    b'<rect width="100" height="60" fill="#9cf"/><circle cx="50" cy="25" r="20" fill="#c33"/></svg>'
)


def tone(rate: int = 22_050) -> bytes:
    """A WAV of a chirp in noise, drawn without floating-point functions of any library."""
    count, state, samples = rate, 1, []
    for place in range(count):
        state = (1_103_515_245 * state + 12_345) % 2**31
        phase = (place * (200 + place // 20)) % rate
        samples.append((8_000 if 2 * phase < rate else -8_000) + state % 2_000 - 1_000)
    data = struct.pack(f"<{count}h", *samples)
    head = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + len(data))
        + b"WAVEfmt \x10\0\0\0"
        + head
        + b"data"
        + struct.pack("<I", len(data))
        + data
    )


FILES = {
    "image": ("image/svg+xml", SVG),
    "audio": ("audio/wav", tone()),
    "text": ("text/plain", TEXT),
}


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def modality(name: str, **options: Any) -> dict[str, str]:
    """Of a file cleaned, its measurements, and each kind of operation that augmentation draws."""
    clean, augment, content = cleaning_of(name), augmentation_of(name), content_of(name)
    media_type, data = FILES.get(name) or next(iter(examples_of(name).files().items()))
    made, measured = clean.clean(data, media_type, clean.Options(**options))
    found = {
        f"clean/{name}{options or ''}": digest(content.pack(made)[0]),
        f"measured/{name}{options or ''}": digest(json.dumps(measured).encode()),
    }
    views: dict[str, list[Any]] = {}
    for view in range(24):
        for operation in augment.draw(generator(5, view), augment.Options()):
            views.setdefault(operation["op"], []).append(operation)
    for op, drawn in views.items():
        applied = [content.pack(augment.apply(made, [one]))[0] for one in drawn[:3]]
        found[f"augment/{name}/{op}"] = digest(*applied)
    return found


def everything() -> dict[str, str]:
    installed = [name for name in names("encoders") if not examples.missing(name)]
    found = {f"encoder/{name}": examples.digest(name) for name in installed}
    for name in modalities():
        found |= modality(name)
    return found | modality("audio", denoise="spectral_gate")


def chosen() -> dict[str, Any]:
    """What the libraries say that they compute with."""
    import numpy
    import threadpoolctl
    import torch
    from numpy._core._multiarray_umath import __cpu_features__

    numpy.ones((2, 2)) @ numpy.ones((2, 2))
    blas = {
        pool["architecture"]
        for pool in threadpoolctl.threadpool_info()
        if pool["internal_api"] == "openblas" and "numpy" in pool["filepath"]
    }
    return {
        "numpy": sorted(name for name, has in __cpu_features__.items() if has),
        "openblas": sorted(blas),
        "torch": torch.backends.cpu.get_cpu_capability(),
        "environment": {name: os.environ.get(name) for name in HELD["avx2"]},
    }


def heard() -> dict[str, str]:
    """What Whisper hears in a chirp, and how sure it is to the last bit."""
    import numpy

    from pipeline.modalities.text.speech import Speech
    from pipeline.modalities.text.transcript import _recogniser

    sound = numpy.sin(numpy.arange(16_000, dtype=numpy.float32) ** 2 / 50_000)
    segments, _ = _recogniser(Speech()).transcribe(
        sound, temperature=0.0, max_new_tokens=4, no_speech_threshold=None
    )
    return {"heard": repr([(segment.tokens, segment.avg_logprob) for segment in segments])}


if __name__ == "__main__":
    asked = {"chosen": chosen, "heard": heard}.get(sys.argv[-1], everything)
    print(json.dumps(asked()))
