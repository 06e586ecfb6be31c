"""A text of sub-words, such as a caption: a Transformer decoder, taught by the sub-words before.

The loss is the cross entropy of each sub-word and of the end, averaged over a text, with label
smoothing. A text of more than `longest` sub-words is learned up to there.

Where the decoder is told the value of another target, such as the language, that is a class of its
own, with which the text begins. A value that training did not have is the class of none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.errors import PipelineError, unknown
from pipeline.encoders import utf8
from pipeline.models import text_metrics
from pipeline.models.targets import is_known
from pipeline.models.tasks import Figure, _subwords
from pipeline.models.tasks._text_options import Options as Options

if TYPE_CHECKING:
    from torch import Tensor, nn

ONE_CLASS = False
NUMBER = False
SOFTMAX = False
SEQUENCE = True
FIGURES: Mapping[str, Figure] = {
    "chrf": Figure("chrF"),
    "exact_match": Figure("exact match"),
    "self_retrieval": Figure("self-retrieval"),
    "cider": Figure("CIDEr", share=False),
    "bleu": Figure("BLEU"),
}
TRIVIAL = "most frequent"
FITTED: tuple[str, ...] = ()
statistics, from_sums = text_metrics.statistics, text_metrics.from_sums


def classes(values: Iterable[object], options: Options) -> list[str]:
    """The vocabulary of these texts: see `_subwords`."""
    if options.order:
        raise PipelineError("`order` is of classes, and a target of kind text has none")
    texts = [str(value) for value in values if is_known(value)]
    if not options.given:
        return _subwords.fit_vocabulary(texts, options.vocabulary)
    parts = [text.partition(_subwords.PREFIX) for text in texts]
    prefixes = sorted({"", *(value for value, _, _ in parts)})
    vocabulary = _subwords.fit_vocabulary((text for _, _, text in parts), options.vocabulary)
    return [*vocabulary, *(_subwords.PREFIX + value for value in prefixes)]


def encode(values: Iterable[object], classes: Sequence[str]) -> np.ndarray:
    """int64 (n, longest text): sub-words, the end, and -1 beyond; all -1 where it is missing."""
    cells = list(values)
    texts = list(dict.fromkeys(str(value) for value in cells if is_known(value)))
    prefixes = _prefixes(classes)
    parts = [text.partition(_subwords.PREFIX) if prefixes else ("", "", text) for text in texts]
    begin = [[prefixes.get(value, prefixes[""])] if prefixes else [] for value, _, _ in parts]
    encoded_texts = _subwords.encode((text for _, _, text in parts), classes)
    subwords = {t: first + ids for t, first, ids in zip(texts, begin, encoded_texts, strict=True)}
    longest = max(map(len, subwords.values()), default=1)
    encoded = np.full((len(cells), longest), -1, np.int64)
    for row, value in enumerate(cells):
        if is_known(value):
            ids = subwords[str(value)]
            encoded[row, : len(ids)] = ids
    return encoded


def encode_source(written: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """int64 (n, longest text): the sub-words of texts by their ids of `utf8`, without the end."""
    subwords = [ids[:-1] for ids in _subwords.encode(utf8.decode_ids(written), classes)]
    encoded = np.full((len(subwords), max([1, *map(len, subwords)])), -1, np.int64)
    for row, ids in enumerate(subwords):
        encoded[row, : len(ids)] = ids
    return encoded


def begin(value: str, classes: Sequence[str]) -> int:
    prefixes = _prefixes(classes)
    if value not in prefixes:
        raise PipelineError(unknown("value", value, filter(None, prefixes)))
    return prefixes[value]


def _prefixes(classes: Sequence[str]) -> dict[str, int]:
    """What a text can be told to begin with → its class."""
    mark = _subwords.PREFIX
    return {name[1:]: place for place, name in enumerate(classes) if name.startswith(mark)}


def layer(width: int, classes: int, options: Options) -> nn.Module:
    from pipeline.models.tasks._decoder import Decoder

    return Decoder(width, classes, options)


def loss(logits: Tensor, targets: Tensor, smoothing: float, focal: float) -> Tensor:
    """The mean over a text's sub-words; logits are the terms of the decoder."""
    within = targets[:, : logits.shape[1]] >= 0
    each = -(1 - smoothing) * logits[..., 0] - smoothing * logits[..., 1]
    return each.where(within, 0.0).sum(1) / within.sum(1).clamp(min=1)


def answer(logits: Tensor) -> Tensor:
    """As the decoder gave it."""
    return logits


def decide(answer: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Sub-words, int64 (n, longest)."""
    return answer[:, 1:].astype(np.int64)


def say(decision: np.ndarray, classes: Sequence[str]) -> str:
    return _subwords.decode(decision.tolist(), classes)


def confidence(answer: np.ndarray, decision: np.ndarray) -> np.ndarray:
    """The product of the sub-words' probabilities."""
    return answer[:, 0]


certainty = confidence


def correct(truth: np.ndarray, decision: np.ndarray) -> np.ndarray:
    return np.asarray(truth == decision)


def figures(truth: np.ndarray, answer: np.ndarray, decision: np.ndarray) -> dict[str, float]:
    """See `text_metrics`."""
    measured = from_sums(statistics(truth, decision).sum(0))
    return {name: float(value) for name, value in measured.items()}
