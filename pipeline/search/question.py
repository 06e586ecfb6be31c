"""A question put to a feature set: words, a file or an id, made a vector as the set's rows were.

The set's params say how its content is cleaned and which encoder describes it, so a question in one
language, or a sketch, lies where rows of like content lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.machine.environment import hold
from pipeline.inference.encoding import Encoding
from pipeline.inference.samples import read_asset
from pipeline.modalities import content_of, modality_of
from pipeline.params import parse
from pipeline.parts.part import Outcome
from pipeline.project.model_files import sections_of_features
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
    length:
        Frames of the vector that hold something, 1 where it is no sequence; None for an id.
    """

    text: str
    modality: str
    content: Any
    query: np.ndarray | str
    length: int | None = None


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
    content: str | Path
    if modality_of(features.modality).INLINE:
        content = text
    elif Path(text).is_file():
        content = Path(text)
    else:
        raise PipelineError(
            f"'{text}' is no file, and no sample or asset with a row in {name}, which describes "
            f"{features.modality}: give the path of one, or an id; words are asked of sets of texts"
        )
    encoding = _encoding(store, name)
    try:
        row = _passed(encoding.clean(read_asset(features.modality, content)))
        query, length = _passed(encoding.features(name, [row])[0])
    except Rejected as why:
        raise PipelineError(f"'{text}' is refused as {why.reason}: {why.message}") from None
    cleaned = content_of(features.modality).unpack(row["data"], row["shape"])
    return Question(text, features.modality, cleaned, query, length)


def _passed(outcome: Outcome) -> Any:
    if isinstance(outcome, Rejected):
        raise outcome
    return outcome


def _encoding(store: Store, name: str) -> Encoding:
    """What cleans and encodes as a feature set's rows were made.

    Raises
    ------
    PipelineError
        This process computes with other instructions than the rows were made with, or today's
        code does not understand that store's params.
    """
    hold(store[name].processor)
    try:
        sections = sections_of_features(store.tree.params, [name])
        params = parse(sections, f"params.yaml of {store.tree.name}")
    except PipelineError as error:
        raise PipelineError(f"{error}\nAsk with the code of that revision.") from None
    return Encoding(store[name].modality, params, [name])
