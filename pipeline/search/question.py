"""A question put to a feature set: words, a file or an id, made a vector as the set's rows were.

The set's params say how its content is cleaned and which encoder describes it, so a question in one
language, or a sketch, lies where rows of like content lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
from pydantic import ValidationError

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.machine.environment import hold
from pipeline.core.options import Options
from pipeline.encoders import encoder_of, prepared
from pipeline.modalities import cleaning_of, content_of, modality_of
from pipeline.params.sections import FeatureNames, RejectLimit
from pipeline.raw.media_types import HEAD_BYTES, by_content
from pipeline.search.contents import read_contents
from pipeline.store.trees.consistent_read import consistent_read

if TYPE_CHECKING:
    import numpy as np

    from pipeline.store import Store


@dataclass(frozen=True)
class Question:
    """What was asked.

    Parameters
    ----------
    text:
        What the person wrote: words, the path of a file, or an id.
    content:
        What it stands for, cleaned; None where cleaning has kept nothing of an id.
    query:
        What `FeatureSet.nearest` takes: a vector, or the id.
    """

    text: str
    modality: str
    content: Any
    query: np.ndarray | str


@consistent_read
def question(store: Store, name: str, text: str) -> Question:
    """Understand what a person asks of a feature set.

    An id that the set has a row of is that row; of a set of texts anything else is words; of others
    it is the path of a file.

    Raises
    ------
    PipelineError
        There is no such file, cleaning refuses the content, today's code knows no such encoder, or
        this process computes with other instructions than the set's rows were made with.
    """
    features = store[name]
    place = int(features.find([text])[0])
    if place >= 0:
        asset = features.to_arrow(["digest"])["digest"][place].as_py()
        content_by_digest = read_contents(store.tree, features.modality, {asset})
        return Question(text, features.modality, content_by_digest.get(asset), text)
    if pc.index(store.samples()["sample_id"], text).as_py() >= 0:
        raise PipelineError(f"the sample {text} has no row in {name}: ask by another sample or set")
    if modality_of(features.modality).INLINE:
        data = text.encode()
    elif Path(text).is_file():
        data = Path(text).read_bytes()
    else:
        raise PipelineError(
            f"'{text}' is no file, and no sample or asset with a row in {name}, which describes "
            f"{features.modality}: give the path of one, or an id; words are asked of sets of texts"
        )
    content = clean_content(store, features.modality, data, text)
    return Question(text, features.modality, content, encode_content(store, name, content))


def clean_content(store: Store, modality: str, data: bytes, source: str) -> Any:
    """Bytes as this store's cleaning leaves them.

    Raises
    ------
    PipelineError
        Cleaning refuses them.
    """
    cleaning, packing = cleaning_of(modality), content_of(modality)
    section = store.tree.params["clean"].get(modality) or {}
    options = _options(cleaning.Options, section, RejectLimit, f"clean.{modality}")
    media_type = modality_of(modality).INLINE or by_content(data[:HEAD_BYTES], source)
    try:
        content, _ = cleaning.clean(data, media_type, options)
    except Rejected as reject:
        raise PipelineError(f"'{source}' is refused as {reject.reason}: {reject.message}") from None
    return packing.unpack(*packing.pack(content))


def encode_content(store: Store, name: str, content: Any) -> np.ndarray:
    """The vector of one cleaned content by the encoder of a feature set, of the set's shape.

    Raises
    ------
    PipelineError
        This process computes with other instructions than the set's rows were made with.
    """
    hold(store[name].processor)
    section = store.tree.params["features"][name]
    encoder = encoder_of(section["encoder"])
    options = _options(encoder.Options, section, FeatureNames, f"features.{name}")
    values, _ = encoder.Encoder(options).encode(prepared(encoder, [content], options))
    vector: np.ndarray = values[0].astype(store[name].dtype)
    return vector


def _options(
    kind: type[Options], section: Mapping[str, Any], section_names: type[Options], where: str
) -> Any:
    """A plug-in's options: what stands in a section beside the section's own names."""
    options = {
        key: value for key, value in section.items() if key not in section_names.model_fields
    }
    try:
        return kind(**options)
    except ValidationError as error:
        first = error.errors()[0]
        raise PipelineError(
            f"{where} does not suit today's code ({first['loc'][0]}: {first['msg']}): ask with the "
            f"code of that revision"
        ) from None
