"""The weights of encoders: whose they are, under which licence, and how a package brings them."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path

from pipeline.core.files.digest import digest_file
from pipeline.encoders import encoder_of
from pipeline.packaging.licences import lets_copy
from pipeline.params import FeatureSection

FOLDER = "weights"
# More than this in one feature set is not copied.
LARGEST = 2 * 2**30
# What an encoder says that runs whatever model params name.
MODELS_OWN = "the model's own"
NOT_STATED = "not stated"


@dataclass(frozen=True)
class EncoderWeights:
    """The files that one feature set's encoder loads.

    Parameters
    ----------
    files:
        Name → SHA-256.
    comes:
        How whoever unpacks the package gets them, as a phrase.
    copied:
        The files that the package takes in, below weights/<set>; none where another brings them.
    """

    feature_set: str
    encoder: str
    licence: str
    files: Mapping[str, str]
    comes: str
    copied: Sequence[Path] = ()


def encoder_weights(
    features: Mapping[str, FeatureSection], licences: Mapping[str, str]
) -> Iterator[EncoderWeights]:
    """Those of each feature set whose encoder has any.

    Parameters
    ----------
    licences:
        Feature set → licence, where a model does not say its own.

    Raises
    ------
    PipelineError
        Weights are not where params say.
    """
    for name, section in features.items():
        kind = encoder_of(section.encoder)
        paths = kind.weights(section.options)
        if not paths:
            continue
        licence = str(getattr(kind, "LICENCE", NOT_STATED))
        if licence == MODELS_OWN:
            licence = licences.get(name) or _stated(paths[0].parent)
        comes, copied = _way(name, getattr(section.options, "model", None), paths, licence)
        files = {path.name: digest_file(path) for path in paths}
        yield EncoderWeights(name, section.encoder, licence, files, comes, copied)


def _way(
    name: str, model: str | None, paths: Sequence[Path], licence: str
) -> tuple[str, Sequence[Path]]:
    if brings := _distribution(paths[0]):
        return f"with the library {brings} of requirements.txt", ()
    if model is not None and not Path(model).is_dir():
        return f"by its name on the Hugging Face hub, {model}, when they are first used", ()
    place = f"{FOLDER}/{name}"
    if not lets_copy(licence):
        return f"not at all, as the licence is not known to let copies be made: put into {place}", ()
    if sum(path.stat().st_size for path in paths) > LARGEST:
        return f"not at all, as they are larger than 2 GiB: put into {place}", ()
    return f"in {place}", paths


def _distribution(path: Path) -> str:
    """`name==version` of the installed library that brings a file; empty if none does."""
    for kind in ("purelib", "platlib"):
        site = Path(sysconfig.get_path(kind))
        if path.is_relative_to(site):
            library = path.relative_to(site).parts[0]
            for name in packages_distributions().get(library, ()):
                return f"{name}=={version(name)}"
    return ""


def _stated(folder: Path) -> str:
    """The licence that the card beside a model states."""
    from huggingface_hub import ModelCard

    card = folder / "README.md"
    if not card.is_file():
        return NOT_STATED
    return str(ModelCard.load(card, ignore_metadata_errors=True).data.license or NOT_STATED)
