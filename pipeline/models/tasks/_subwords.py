"""Text as sub-words: pairs of bytes that often stand side by side are merged, again and again.

Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) over the bytes of UTF-8 within words
(Radford et al. 2019), so that any text can be said and is read back as it was. A vocabulary is a
list: the end of a text, all bytes, then what was merged, in that order, which says how to encode.
Bytes are written as the printable characters of the library's byte level. Behind them may stand
what a text is told to begin with, marked by `TOLD`, which no sub-word begins with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise

# The end of a text, and what stands before its first sub-word.
END = 0
TOLD = "\n"


def fit_vocabulary(texts: Iterable[str], size: int) -> list[str]:
    """The end, all bytes, and the commonest merges of these texts, in any order: `size` at most."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size - 1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    place = tokenizer.get_vocab()
    return ["", *sorted(place, key=place.__getitem__)]


def encode(texts: Iterable[str], vocabulary: Sequence[str]) -> list[list[int]]:
    """The sub-words of each text, and the end."""
    from tokenizers import pre_tokenizers

    rank = {subword: place for place, subword in enumerate(vocabulary)}
    split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str

    @cache
    def merged(word: str) -> list[int]:
        parts = list(word)
        while len(parts) > 1:
            pairs = [first + second for first, second in pairwise(parts)]
            best = min(range(len(pairs)), key=lambda i: rank.get(pairs[i], len(rank)))
            if pairs[best] not in rank:
                break
            parts[best : best + 2] = [pairs[best]]
        return [rank[part] for part in parts]

    return [[*(id for word, _ in split(text) for id in merged(word)), END] for text in texts]


def decode(ids: Iterable[int], vocabulary: Sequence[str]) -> str:
    """The text alone; bytes that are no UTF-8 become the replacement character."""
    from tokenizers import decoders

    subwords = [vocabulary[id] for id in ids if id > END]
    spoken = [subword for subword in subwords if not subword.startswith(TOLD)]
    text: str = decoders.ByteLevel().decode(spoken)
    return text
