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
from pipeline.encoders import encoder_of
from pipeline.inference.encoding import Encoding
from pipeline.inference.samples import read_asset
from pipeline.modalities import content_of, modality_of
from pipeline.params import parse
from pipeline.parts.part import Outcome
from pipeline.project.model_files import sections_of_features
from pipeline.raw.media_types import modality_by_name
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

    An id that the set has a row of is that row. A set in a space that several modalities share may
    be asked by each of these, as far as the store has a set of it there: by a file of another
    modality, else by words. Of a set of texts alone anything else is words; of others it is the
    path of a file.

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
    asked = _understanding(store, name, text)
    modality = store[asked].modality
    content = text if modality_of(modality).INLINE else Path(text)
    encoding = _encoding(store, asked)
    try:
        row = _passed(encoding.clean(read_asset(modality, content)))
        query, length = _passed(encoding.features(asked, [row])[0])
    except Rejected as why:
        raise PipelineError(f"'{text}' is refused as {why.reason}: {why.message}") from None
    cleaned = content_of(modality).unpack(row["data"], row["shape"])
    return Question(text, modality, cleaned, query, length)


def _understanding(store: Store, name: str, text: str) -> str:
    """The feature set that makes a vector of words or a file: the one that is asked, or another of
    its space.

    Raises
    ------
    PipelineError
        None can.
    """
    modality_of_set = {mate: store[mate].modality for mate in _space(store, name)}
    inline = [mate for mate, own in modality_of_set.items() if modality_of(own).INLINE]
    if _is_file(text):
        meant = modality_by_name(text)
        takers = [m for m, own in modality_of_set.items() if own == meant and m not in inline]
        if takers or name not in inline:
            return takers[0] if takers else name
    if inline:
        return inline[0]
    raise PipelineError(
        f"'{text}' is no file, and no sample or asset with a row in {name}, which describes "
        f"{store[name].modality}: give the path of one, or an id; words are asked of sets of texts"
    )


def _space(store: Store, name: str) -> list[str]:
    """The set, and those whose vectors may be compared with its own."""
    sections = store.tree.params.get("features") or {}

    def space_of(section: dict[str, Any]) -> str | None:
        kind = encoder_of(section["encoder"])
        space = getattr(kind, "space", None)
        options = {key: section[key] for key in kind.Options.model_fields if key in section}
        return space(kind.Options(**options)) if space else None

    spaces = {mate: space_of(section) for mate, section in sections.items() if mate in store}
    own = spaces.get(name)
    return [name, *(m for m, space in spaces.items() if own and space == own and m != name)]


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


def _is_file(text: str) -> bool:
    """Whether a question is the path of a file; words may be longer than any path."""
    try:
        return Path(text).is_file()
    except OSError:
        return False
