"""Which sub-words an answer is made of: the likeliest each time, the best of several, or a draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pipeline.core.randomness import generator
from pipeline.models.tasks._subwords import END

if TYPE_CHECKING:
    from pipeline.models.tasks._text_options import Options


class Search:
    """n answers that grow by a sub-word at a time, each on `beams` beams side by side.

    One beam is greedy. More are a beam search, which ends with the beam of the greatest log p over
    its length to the power of `length_penalty` (Wu et al. 2016, arXiv:1609.08144). A draw takes one
    beam, and adds Gumbel's noise to log p / `temperature` (Maddison et al. 2014, arXiv:1411.0030).
    The noise is by seed and place alone, so that an answer is the same in whatever batch.

    A row's answer depends on its own log p alone. All its beams stand beside each other. `prefix`,
    int64 (n,) or None, are the sub-words that they begin with at no cost, -1 where none is given.
    """

    def __init__(
        self, count: int, options: Options, device: torch.device, prefix: Tensor | None = None
    ) -> None:
        self._options, self._prefix = options, prefix
        self._beams = options.beams if options.decoding == "beam" else 1
        self.origin = torch.arange(count, device=device).repeat_interleave(self._beams)
        self._ids = torch.empty(len(self.origin), 0, dtype=torch.long, device=device)
        # At first all beams are one, so that but one of them counts.
        first = torch.full((self._beams,), -torch.inf, device=device)
        first[0] = 0
        self._likelihood = first.repeat(count)
        self._ended = torch.zeros(len(self.origin), dtype=torch.bool, device=device)

    @property
    def last(self) -> Tensor:
        """What goes into the decoder next, (n · beams, 1)."""
        if self._ids.shape[1] == 0:
            return torch.full_like(self.origin[:, None], END)
        return self._ids[:, -1:].clamp(min=END)

    @property
    def ended(self) -> bool:
        """Whether all answers came to their end."""
        return bool(self._ended.all())

    def extend(self, log_probabilities: Tensor) -> Tensor:
        """Take the next sub-word by its log p, float32 (n · beams, vocabulary).

        Gives the beam that each goes on from, (n · beams,).
        """
        place, vocabulary = self._ids.shape[1], log_probabilities.shape[1]
        scores = log_probabilities.clone()
        if place < self._options.shortest:
            scores[:, END] = -torch.inf
        if self._options.decoding == "sample":
            drawn = self._draw(scores, place)
            scores = torch.where(drawn, scores, -torch.inf)
        if place == 0 and self._prefix is not None:
            first = self._prefix[self.origin][:, None]
            words = torch.arange(vocabulary, device=first.device)
            free = torch.where(words == first, 0.0, -torch.inf).to(scores)
            scores = torch.where(first >= 0, free, scores)
        # What has ended goes on by its end alone, at no cost.
        over = torch.full_like(scores[:1], -torch.inf)
        over[:, END] = 0
        scores = torch.where(self._ended[:, None], over, scores)
        total = (self._likelihood[:, None] + scores).view(-1, self._beams * vocabulary)
        best, at = total.topk(self._beams, 1)
        answer = torch.arange(len(at), device=at.device)[:, None] * self._beams
        parents = (answer + at // vocabulary).flatten()
        ended = self._ended[parents]
        chosen = (at % vocabulary).flatten()
        ids = torch.where(ended, -1, chosen)
        self._ids = torch.cat([self._ids[parents], ids[:, None]], 1)
        self._likelihood = best.flatten()
        self._ended = ended | (chosen == END)
        return parents

    def answers(self) -> Tensor:
        """The best beam of each: its probability, then its sub-words; float32 (n, 1 + longest)."""
        length = (self._ids >= 0).sum(1)
        score = self._likelihood / length.clamp(min=1) ** self._options.length_penalty
        rows = torch.arange(0, len(score), self._beams, device=score.device)
        rows = rows + score.view(-1, self._beams).argmax(1)
        answers = self._ids.new_full((len(rows), 1 + self._options.longest), -1).float()
        answers[:, 0] = self._likelihood[rows].exp()
        answers[:, 1 : 1 + self._ids.shape[1]] = self._ids[rows].float()
        return answers

    def _draw(self, scores: Tensor, place: int) -> Tensor:
        """bool, of the shape of the scores: one true a row."""
        options = self._options
        if options.likeliest and options.likeliest < scores.shape[1]:
            least = scores.topk(options.likeliest, 1).values[:, -1:]
            scores = scores.masked_fill(scores < least, -torch.inf)
        noise = generator(options.seed, "decoding", place).gumbel(size=scores.shape[1])
        noisy = scores / options.temperature + torch.from_numpy(noise).to(scores)
        vocabulary = torch.arange(scores.shape[1], device=scores.device)
        return vocabulary == noisy.argmax(1, keepdim=True)
