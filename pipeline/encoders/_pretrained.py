"""Networks in the Hugging Face format: where they lie, what they are, how they run and are pooled.

A model is a folder, one within an installed package (`package:NAME/FOLDER`), or a name on the hub,
which is asked only for what its cache does not hold. It is keyed by the digests of its files, and
may be pinned to one. No code from it is run, nor is the package imported.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.core.options import Options as Base

if TYPE_CHECKING:
    import torch

WEIGHTS = "*.safetensors"
CONFIG = "config.json"
PACKAGE = "package:"
Pooling = Literal["mean", "cls", "max", "model"]


class Pretrained(Base):
    """Which network."""

    model: str = Field(
        min_length=1,
        description="folder, `package:NAME/FOLDER` of one in an installed package, or name on the "
        "Hugging Face hub",
    )
    revision: str = Field("main", description="branch, tag or commit, for a model from the hub")
    sha256: str = Field(
        "",
        pattern="^([0-9a-f]{64})?$",
        description="digest that its first file of weights must have; empty: any",
    )


class OnCard(Base):
    """Where torch runs a network, and with what numbers."""

    device: Literal["cpu", "cuda"] = Field("cpu", description="processor that runs the network")
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="type of the weights and of what is computed with them"
    )

    @model_validator(mode="before")
    @classmethod
    def _suits_the_card(cls, given: Any) -> Any:
        """Where nothing is said of the batch, the size that fills a card of 2022 or later."""
        if isinstance(given, dict) and given.get("device") == "cuda":
            return {**cls.card_defaults(), **given}
        return given

    @classmethod
    def card_defaults(cls) -> dict[str, int]:
        """Options that are others on a GPU, where params.yaml is silent."""
        return {}


class States(Base):
    """What becomes of a network's states; `pooling` has a default of each encoder's own."""

    layer: int | None = Field(
        None, ge=0, description="layer whose states are taken, 0 the embeddings'; empty: the last"
    )
    pooling: Pooling
    normalise: bool = Field(False, description="whether vectors are scaled to length 1")


def locate(options: Pretrained, files: Sequence[str]) -> Path:
    """The model's folder, fetched into the hub's cache if it is not there.

    Parameters
    ----------
    files:
        Patterns of the files that are read.

    Raises
    ------
    PipelineError
        It is neither a folder nor on the hub, its package is not installed, or the hub is out of
        reach.
    """
    folder = _folder(options.model)
    if folder is not None:
        return folder
    from huggingface_hub import snapshot_download

    def snapshot(cached: bool) -> Path:
        return Path(
            snapshot_download(
                options.model,
                revision=options.revision,
                allow_patterns=list(files),
                local_files_only=cached,
            )
        )

    try:
        try:
            return snapshot(cached=True)
        except OSError:
            return snapshot(cached=False)
    except (OSError, ValueError) as error:
        raise PipelineError(
            f"model '{options.model}' is no folder here, and the Hugging Face hub did not give it "
            f"({type(error).__name__}); give a folder, or check the name and the network"
        ) from error


def weights(options: Pretrained, files: Sequence[str], how: str) -> list[Path]:
    """The files that are read, which the key digests.

    Raises
    ------
    PipelineError
        The model is not to be had, lacks one of them, or is not the one that is pinned.
    """
    folder = locate(options, files)
    paths_by_pattern = {pattern: sorted(folder.glob(pattern)) for pattern in files}
    missing = [pattern for pattern, paths in paths_by_pattern.items() if not paths]
    if missing:
        raise PipelineError(f"model '{options.model}' has no {', no '.join(missing)}; {how}")
    first = paths_by_pattern[WEIGHTS][0]
    if options.sha256 and (digest := digest_file(first)) != options.sha256:
        raise PipelineError(
            f"the weights of model '{options.model}' ({first.name}) have the SHA-256 {digest}, and "
            f"`sha256` asks for {options.sha256}: it is another model, or a damaged one"
        )
    return [path for paths in paths_by_pattern.values() for path in paths]


def parameters(options: Pretrained) -> dict[str, Any]:
    """What of the options is keyed: a model in a folder is known by its files, not by its path."""
    keyed = options.model_dump(mode="json", exclude={"sha256"})
    if _folder(options.model) is not None:
        del keyed["model"]
    return keyed


def _folder(model: str) -> Path | None:
    """Where a model lies on this machine; None: it is a name on the hub."""
    if not model.startswith(PACKAGE):
        return Path(model) if Path(model).is_dir() else None
    package, _, inside = model.removeprefix(PACKAGE).partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise PipelineError(
            f"model '{model}': no package {package} is installed: install the one that provides it"
        )
    folder = Path(spec.submodule_search_locations[0], inside)
    if not folder.is_dir():
        raise PipelineError(f"model '{model}': the package {package} has no folder {inside}")
    return folder


def read_config(folder: Path, name: str = CONFIG) -> dict[str, Any]:
    """A description that lies beside the weights."""
    try:
        config: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise PipelineError(f"{folder} holds no model: its {name} cannot be read") from None
    return config


def read_network(folder: Path, precision: str, **how: Any) -> torch.nn.Module:
    """The network alone, ready to be asked."""
    import torch
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    network: torch.nn.Module = AutoModel.from_pretrained(
        folder,
        dtype=getattr(torch, precision),
        use_safetensors=True,
        local_files_only=True,
        **how,
    )
    return network.eval().requires_grad_(False)


def pool(states: torch.Tensor, filled: torch.Tensor, how: Pooling) -> torch.Tensor:
    """States, (rows, places, width), to one vector a row: float32 (rows, width).

    Parameters
    ----------
    filled:
        Places that count, bool (rows, places).
    """
    states = states.float()
    if how == "cls":
        return states[:, 0]
    held = filled[..., None]
    if how == "max":
        return states.masked_fill(~held, float("-inf")).amax(1)
    return states.masked_fill(~held, 0).sum(1) / held.sum(1)


def to_vectors(output: Any, options: States, lengths: torch.Tensor | None = None) -> torch.Tensor:
    """What a network gives, to one vector a row: float32 (rows, width).

    Parameters
    ----------
    lengths:
        Places of the states that each row fills, int64 (rows,). None: all.
    """
    import torch

    if options.pooling == "model" and options.layer is None:
        vectors: torch.Tensor = output.pooler_output.flatten(1).float()
    else:
        states = output.last_hidden_state
        if options.layer is not None:
            states = output.hidden_states[options.layer]
        if states.ndim == 4:  # feature maps (rows, width, and two sides)
            states = states.flatten(2).mT
        filled = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
        if lengths is not None:
            places = torch.arange(states.shape[1], device=states.device)
            filled = places < lengths[:, None]
        how: Pooling = "mean" if options.pooling == "model" else options.pooling
        vectors = pool(states, filled, how)
    return torch.nn.functional.normalize(vectors, dim=1) if options.normalise else vectors


def usable(rows: int) -> int:
    """Rows that a batch of so many takes.

    Networks drop their mask where nothing is masked, and compute otherwise. One row of a batch is
    therefore never used: all that computes a row is then independent of its neighbours.
    """
    return max(1, rows - 1)


def size(rows: int) -> int:
    """Rows of the batch that takes so many."""
    return rows + 1 if rows > 1 else 1


@functools.cache
def buckets(least: int, most: int) -> tuple[int, ...]:
    """Lengths of batches: doubled from `least`, up to `most`."""
    lengths = [least]
    while lengths[-1] < most:
        lengths.append(2 * lengths[-1])
    return (*lengths[:-1], min(lengths[-1], most))


def bucket(length: int, lengths: Sequence[int]) -> int:
    """The least that a row fits into: by its own length, so that its bytes depend on it alone."""
    return lengths[bisect_left(lengths, length)]


def ones(count: int) -> np.ndarray:
    """Lengths of vectors: int32 (count,), all 1."""
    return np.ones(count, np.int32)
