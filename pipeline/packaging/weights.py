"""The weights of encoders: whose they are, under which licence, and how a package brings them."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import packages_distributions, version
from pathlib import Path

from pipeline.core.files.digest import digest_file
from pipeline.encoders import encoder_of
from pipeline.packaging.licences import lets_copy
from pipeline.params import FeatureSection
from pipeline.project.model_files import WEIGHTS
from pipeline.reporting.format import size

# More than this in one feature set is not copied.
LARGEST = 2_000_000_000
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
    place:
        The folder of the package in which they are looked for; empty where the encoder finds them.
    copied:
        The files that the package takes in there.
    """

    feature_set: str
    encoder: str
    licence: str
    files: Mapping[str, str]
    comes: str
    place: str = ""
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
        files = {path.name: digest_file(path) for path in paths}
        weights = EncoderWeights(name, section.encoder, licence, files, "")
        yield _coming(weights, paths, getattr(section.options, "model", None))


def _coming(weights: EncoderWeights, paths: Sequence[Path], model: str | None) -> EncoderWeights:
    """The same, with the way that they come.

    model: the folder or the hub's name, of an encoder that takes any.
    """
    if library := _distribution(paths[0]):
        return replace(weights, comes=f"with {library} of requirements.txt")
    if model is None or not Path(model).is_dir():
        hub = f"from the Hugging Face hub, by the name {model}, when first used"
        return replace(weights, comes=hub)
    place = f"{WEIGHTS}/{weights.feature_set}"
    if not lets_copy(weights.licence):
        reason = "their licence is not known to let copies be made"
    elif sum(path.stat().st_size for path in paths) > LARGEST:
        reason = f"they are larger than {size(LARGEST)}"
    else:
        return replace(weights, comes=f"in {place}", place=place, copied=paths)
    return replace(weights, comes=f"not in here, as {reason}: put them into {place}", place=place)


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
