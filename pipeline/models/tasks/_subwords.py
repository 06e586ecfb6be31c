"""Text as sub-words: pairs of bytes that often stand side by side are merged, again and again.

Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) over the bytes of UTF-8 within words
(Radford et al. 2019), so that any text can be said and is read back as it was. A vocabulary is a
list: the end of a text, all bytes, then what was merged, in that order, which says how to encode.
Bytes are written as the printable characters of the library's byte level. Behind them may stand
the prefixes of texts, marked by `PREFIX`, which no sub-word begins with.

A word is the same sub-words wherever it stands: a text begins with a space, and a capital is a mark
and its small letter (Berard et al. 2019, arXiv:1910.14589, have the mark behind the word).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

# The end of a text, and what stands before its first sub-word.
END = 0
PREFIX = "\n"
# Before a letter, and the space in front of it, that stands for its capital; or before itself.
CAPITAL = "\x0e"


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
    tokenizer.train_from_iterator(map(_mark_capitals, texts), trainer)
    place = tokenizer.get_vocab()
    return ["", *sorted(place, key=place.__getitem__)]


def encode(texts: Iterable[str], vocabulary: Sequence[str]) -> list[list[int]]:
    """The sub-words of each text, and the end."""
    from tokenizers import pre_tokenizers

    split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str
    merged = _merging(tuple(vocabulary))
    return [[*(id for word, _ in split(_mark_capitals(text)) for id in merged(word)), END]
            for text in texts]  # fmt: skip


@lru_cache(maxsize=8)
def _merging(vocabulary: tuple[str, ...]) -> Callable[[str], tuple[int, ...]]:
    """From a word to its sub-words."""
    rank = {subword: place for place, subword in enumerate(vocabulary)}

    @lru_cache(maxsize=1 << 16)
    def merged(word: str) -> tuple[int, ...]:
        parts = list(word)
        while len(parts) > 1:
            pairs = [first + second for first, second in pairwise(parts)]
            best = min(range(len(pairs)), key=lambda i: rank.get(pairs[i], len(rank)))
            if pairs[best] not in rank:
                break
            parts[best : best + 2] = [pairs[best]]
        return tuple(rank[part] for part in parts)

    return merged


def decode(ids: Iterable[int], vocabulary: Sequence[str]) -> str:
    """The text alone; bytes that are no UTF-8 become the replacement character."""
    from tokenizers import decoders

    subwords = [vocabulary[id] for id in ids if id > END]
    spoken = [subword for subword in subwords if not subword.startswith(PREFIX)]
    return _unmarked(decoders.ByteLevel().decode(spoken))


def _mark_capitals(text: str) -> str:
    """A text with a space before it, its capitals as marks and small letters."""
    return re.sub(f"( ?)([{CAPITAL}\\w])", _mark_capital, f" {text}") if text else ""


def _mark_capital(match: re.Match[str]) -> str:
    space, letter = match.groups()
    small = letter.lower()
    if letter == CAPITAL or (small != letter and small.upper() == letter):
        return f"{CAPITAL}{space}{small}"
    return match[0]


def _unmarked(written: str) -> str:
    """The inverse of `_mark_capitals`; a mark elsewhere, too, makes the next letter a capital."""
    text = re.sub(f"{CAPITAL}( ?)(.)", lambda m: m[1] + m[2].upper(), written, flags=re.DOTALL)
    return text.removeprefix(" ")
