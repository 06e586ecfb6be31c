"""A Transformer decoder over fused tokens, taught by given sub-words, and making answers.

Vaswani et al. 2017 (arXiv:1706.03762), with the norms before (Xiong et al. 2020, arXiv:2002.04745)
and the logits by the embedding of the sub-words (Press & Wolf 2017, arXiv:1608.05859). Answers are
made with the keys and values of earlier places kept; they are what they would be without.

A text that it reads is sub-words too, whose embeddings go through a layer of self-attention and
stand beside the fused tokens. Of each place a gate says with which probability the next sub-word is
one of them, which attention then points at (See et al. 2017, arXiv:1704.04368).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.encoder_layer import encoder_layer
from pipeline.models.tasks._search import Search
from pipeline.models.tasks._subwords import END

if TYPE_CHECKING:
    from pipeline.models.tasks._text_options import Options

# Keys and values, (n, heads, places, width of a head) each.
Kept = tuple[Tensor, Tensor]


class Attention(nn.Module):
    """Queries (n, places, hidden) to keys and values of as many places as there are."""

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(hidden, hidden)
        self.key_value = nn.Linear(hidden, 2 * hidden)
        self.out = nn.Linear(hidden, hidden)

    def keep(self, source: Tensor) -> Kept:
        """What can be asked of a source (n, places, hidden)."""
        key, value = self.key_value(source).chunk(2, -1)
        return self._by_head(key), self._by_head(value)

    def forward(self, asking: Tensor, kept: Kept, seen: Tensor | None) -> Tensor:
        """seen: bool (n, 1, places or 1, places of the source); None: all is."""
        answered = functional.scaled_dot_product_attention(
            self._by_head(self.query(asking)),
            *kept,
            attn_mask=seen,
            dropout_p=self.dropout if self.training else 0.0,
        )
        joined: Tensor = self.out(answered.transpose(1, 2).flatten(2))
        return joined

    def _by_head(self, array: Tensor) -> Tensor:
        return array.view(*array.shape[:2], self.heads, -1).transpose(1, 2)


class Layer(nn.Module):
    """Attention to what was said, attention to the fused tokens, and two layers, normed before."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        hidden, heads, dropout = options.hidden, options.heads, options.dropout
        self.said = Attention(hidden, heads, dropout)
        self.read = Attention(hidden, heads, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(3))
        self.mix = nn.Sequential(
            nn.Linear(hidden, options.expansion * hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(options.expansion * hidden, hidden),
        )
        self.drop = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, before: Kept | None, seen: Tensor | None, memory: Kept, mask: Tensor
    ) -> tuple[Tensor, Kept]:
        """The new places (n, places, hidden), and the keys and values of all so far."""
        normed = self.norms[0](x)
        kept = self.said.keep(normed)
        if before is not None:
            kept = (torch.cat([before[0], kept[0]], 2), torch.cat([before[1], kept[1]], 2))
        x = x + self.drop(self.said(normed, kept, seen))
        x = x + self.drop(self.read(self.norms[1](x), memory, mask))
        return x + self.drop(self.mix(self.norms[2](x))), kept


@dataclass(frozen=True)
class Memory:
    """What n answers are made from.

    Attributes
    ----------
    layers:
        Of each layer the keys and values of fused tokens, then of the text.
    mask:
        bool (n, 1, 1, tokens and sub-words): which of them count.
    subwords:
        The text's sub-words, int64 (n, sub-words), -1 beyond its end.
    keys:
        What is pointed at, float (n, sub-words, hidden).
    """

    layers: list[Kept]
    mask: Tensor
    subwords: Tensor
    keys: Tensor

    def take(self, rows: Tensor) -> Memory:
        layers = [(key[rows], value[rows]) for key, value in self.layers]
        return Memory(layers, self.mask[rows], self.subwords[rows], self.keys[rows])


class Reader(nn.Module):
    """A text that is read, and copied from."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        hidden = options.hidden
        # What stands beside a sub-word, by which copying goes on from one to the next.
        self.context = nn.Conv1d(hidden, hidden, 3, padding=1)
        self.layer = encoder_layer(hidden, options.heads, options.expansion, options.dropout)
        self.norm = nn.LayerNorm(hidden)
        self.key = nn.Linear(hidden, hidden)
        self.query = nn.Linear(hidden, hidden)
        self.gate = nn.Linear(hidden, 1)

    def forward(self, embedded: Tensor, beyond: Tensor) -> Tensor:
        """Sub-words (n, places, hidden) in their context; beyond: bool (n, places)."""
        embedded = embedded.masked_fill(beyond[..., None], 0.0)
        near = embedded + self.context(embedded.transpose(1, 2)).transpose(1, 2)
        # Where there is no text all counts: attention to nothing would be no number.
        masked = beyond & ~beyond.all(1, keepdim=True)
        read: Tensor = self.norm(self.layer(near, src_key_padding_mask=masked))
        return read

    def copy(self, state: Tensor, log_probabilities: Tensor, memory: Memory) -> Tensor:
        """log p of the next sub-word, said or copied, float32 (n, places, vocabulary).

        state: (n, places, hidden); log_probabilities: float32, of those that are said.
        """
        beyond = (memory.subwords < 0)[:, None]
        query = self.query(state) * state.shape[2] ** -0.5
        # Of small probabilities half precision keeps no difference, and has no number for a mask.
        scores = (query @ memory.keys.transpose(1, 2)).float()
        masked = scores.masked_fill(beyond, torch.finfo(scores.dtype).min)
        pointed = masked.softmax(2).masked_fill(beyond, 0.0)
        gate = self.gate(state).float().sigmoid() * (~beyond).any(2, keepdim=True)
        place = memory.subwords.clamp(min=0)[:, None].expand_as(pointed)
        copied = torch.zeros_like(log_probabilities).scatter_add(2, place, pointed * gate)
        mixed: Tensor = (log_probabilities.exp() * (1 - gate) + copied).clamp(min=1e-9).log()
        return mixed


class Decoder(nn.Module):
    """The head of a text: see `Generative`; its terms are log p of a sub-word, and the mean log p.

    The mean runs over the vocabulary, as label smoothing wants it.
    """

    def __init__(self, width: int, vocabulary: int, options: Options) -> None:
        super().__init__()
        self.options = options
        self.memory = nn.Sequential(nn.Linear(width, options.hidden), nn.LayerNorm(options.hidden))
        self.embedding = nn.Embedding(vocabulary, options.hidden)
        nn.init.normal_(self.embedding.weight, std=options.hidden**-0.5)
        self.places = nn.Parameter(torch.randn(options.longest, options.hidden) * 0.02)
        self.layers: Any = nn.ModuleList(Layer(options) for _ in range(options.layers))
        self.norm = nn.LayerNorm(options.hidden)
        self.drop = nn.Dropout(options.dropout)
        self.reader = Reader(options) if options.copies else None

    def forward(
        self,
        tokens: Tensor,
        absent: Tensor,
        targets: Tensor | None = None,
        teach: bool = False,
        text: Tensor | None = None,
    ) -> Tensor:
        memory = self.encode_memory(tokens, absent, text)
        if targets is not None and teach:
            return self.teacher_forced(memory, targets)
        prefix = targets[:, 0] if targets is not None and self.options.given else None
        return self.generate(memory, prefix)

    def teacher_forced(self, memory: Memory, targets: Tensor) -> Tensor:
        """Its terms of each sub-word of the targets, all before being given."""
        longest = int((targets >= 0).sum(1).max().clamp(1, self.options.longest))
        truth = targets[:, :longest]
        begin = truth.new_full((len(truth), 1), END)
        given = torch.cat([begin, truth[:, :-1].clamp(min=END)], 1)
        earlier = torch.ones(longest, longest, dtype=torch.bool, device=truth.device).tril()
        log_probabilities, _ = self.step(given, 0, None, earlier, memory)
        of_truth = -functional.nll_loss(
            log_probabilities.flatten(0, 1), truth.flatten(), ignore_index=-1, reduction="none"
        )
        terms = torch.stack([of_truth.view_as(truth), log_probabilities.mean(2)], 2)
        # As many places for every batch, so that batches can be joined.
        most = min(targets.shape[1], self.options.longest)
        return functional.pad(terms, (0, 0, 0, most - longest))

    def generate(self, memory: Memory, prefix: Tensor | None) -> Tensor:
        """The answers of the options' search, float32 (n, 1 + longest).

        prefix: what each begins with, (n,), -1 where that is left to the search; None: of all.
        """
        search = Search(len(memory.mask), self.options, memory.mask.device, prefix)
        memory, kept = memory.take(search.origin), None
        for place in range(self.options.longest):
            log_probabilities, kept = self.step(search.last, place, kept, None, memory)
            parents = search.extend(log_probabilities[:, -1])
            if search.ended:
                break
            kept = [(key[parents], value[parents]) for key, value in kept]
        return search.answers()

    def encode_memory(self, tokens: Tensor, absent: Tensor, text: Tensor | None = None) -> Memory:
        """What there is to read: fused tokens, and the sub-words of a text."""
        # Where none is there all count, being zeros: attention to nothing would be no number.
        absent = absent & ~absent.all(1, keepdim=True)
        source = self.memory(tokens.where(~absent[..., None], 0.0))
        if self.reader is None or text is None:
            nothing = torch.zeros_like(absent[:, :0], dtype=torch.long)
            return self._memory(source, absent, nothing, source[:, :0])
        beyond = text < 0
        read = self.reader(self.drop(self.embedding(text.clamp(min=END))), beyond)
        both, missing = torch.cat([source, read], 1), torch.cat([absent, beyond], 1)
        return self._memory(both, missing, text, self.reader.key(read))

    def _memory(self, source: Tensor, absent: Tensor, subwords: Tensor, keys: Tensor) -> Memory:
        layers = [layer.read.keep(source) for layer in self.layers]
        return Memory(layers, ~absent[:, None, None], subwords, keys)

    def step(
        self,
        given: Tensor,
        place: int,
        kept: list[Kept] | None,
        earlier: Tensor | None,
        memory: Memory,
    ) -> tuple[Tensor, list[Kept]]:
        """log p (n, places, vocabulary) of what follows sub-words given from a place on."""
        x = self.drop(self.embedding(given) + self.places[place : place + given.shape[1]])
        grown = []
        for i, layer in enumerate(self.layers):
            x, keys = layer(x, kept and kept[i], earlier, memory.layers[i], memory.mask)
            grown.append(keys)
        x = self.norm(x)
        log_probabilities = functional.linear(x, self.embedding.weight).float().log_softmax(2)
        if self.reader is not None:
            log_probabilities = self.reader.copy(x, log_probabilities, memory)
        return log_probabilities, grown
