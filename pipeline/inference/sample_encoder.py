"""Raw samples of several modalities → features, with what of them was refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.folders import CLEAN
from pipeline.inference.encoding import Encoding
from pipeline.inference.samples import Sample, read_asset
from pipeline.params import Params

Feature = tuple[np.ndarray, int]  # values, of the set's shape, and their length


class Refusal(NamedTuple):
    """Why something of a sample is not to be had.

    `modality` is None of the sample as a whole, `digest` that of the bytes, empty if none were
    read.
    """

    modality: str | None
    stage: str
    why: Rejected
    digest: str = ""


class SampleFeatures(NamedTuple):
    """What samples gave, in their order.

    `values` is by feature set, None where a sample has none; `inputs` maps each modality that was
    read to the SHA-256 of its bytes.
    """

    values: dict[str, list[Feature | None]]
    inputs: list[dict[str, str]]
    refusals: list[list[Refusal]]


class SampleEncoder:
    """Makes feature sets of raw samples by the code of the stages clean and extract.

    Threads may share one: see `Encoding`.

    Raises
    ------
    PipelineError
        The params name no such feature set.
    """

    def __init__(self, params: Params, sets: Iterable[str]) -> None:
        self._sets: dict[str, list[str]] = {}
        for name in sets:
            if name not in params.features:
                raise PipelineError(
                    f"params.yaml names no feature set '{name}', which the model was trained on: "
                    "take the revision it was trained at"
                )
            self._sets.setdefault(params.features[name].modality, []).append(name)
        self._encodings = {m: Encoding(m, params, listed) for m, listed in self._sets.items()}

    @property
    def modalities(self) -> list[str]:
        """Those that are read, sorted."""
        return sorted(self._sets)

    @property
    def functions(self) -> dict[str, Mapping[str, Any]]:
        """Stage, or feature set → the fingerprint of what is done: see `check_features`."""
        encodings = self._encodings.values()
        return {name: each for encoding in encodings for name, each in encoding.functions.items()}

    def encode(self, samples: Sequence[Sample]) -> SampleFeatures:
        """Features of all that the samples have; the same content is cleaned and encoded once."""
        encoded = SampleFeatures(
            {name: [None] * len(samples) for names in self._sets.values() for name in names},
            [{} for _ in samples],
            [
                [Refusal(None, "predict", sample.refused)] if sample.refused else []
                for sample in samples
            ],
        )
        for modality in self._encodings:
            self._encode(modality, samples, encoded)
        return encoded

    def _encode(self, modality: str, samples: Sequence[Sample], encoded: SampleFeatures) -> None:
        """Add what there is of one modality."""
        encoding, refuse = self._encodings[modality], partial(Refusal, modality)
        values, inputs, refusals = encoded
        cleaned: dict[str, Mapping[str, Any]] = {}
        rows: dict[str, list[int]] = {}
        outcomes: dict[tuple[str, str], Mapping[str, Any] | Rejected] = {}
        for row, sample in enumerate(samples):
            if modality not in sample.contents or sample.refused:
                continue
            try:
                asset = read_asset(modality, sample.contents[modality])
            except Rejected as why:
                refusals[row].append(refuse("read", why))
                continue
            inputs[row][modality] = asset.digest
            known = (asset.digest, asset.media_type)
            if known not in outcomes:
                outcomes[known] = encoding.clean(asset)
            outcome = outcomes[known]
            if isinstance(outcome, Rejected):
                refusals[row].append(refuse(f"{CLEAN}/{modality}", outcome, asset.digest))
            else:
                cleaned.setdefault(outcome["content"], outcome)
                rows.setdefault(outcome["content"], []).append(row)
        for name in self._sets[modality] if cleaned else ():
            features = encoding.features(name, list(cleaned.values()))
            for content, feature in zip(cleaned, features, strict=True):
                for row in rows[content]:
                    if isinstance(feature, Rejected):
                        digest = inputs[row][modality]
                        refusals[row].append(refuse(f"extract/{name}", feature, digest))
                    else:
                        values[name][row] = feature
