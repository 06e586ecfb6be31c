"""A model: one tower per feature set, their fusion, one head per task, maybe a shared space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.core import registry
from pipeline.core.errors import PipelineError
from pipeline.models.alignment.space import Space
from pipeline.models.decoding import Decoding
from pipeline.models.examples import Examples, FeatureSpec
from pipeline.models.frames import frame_mean
from pipeline.models.fusion import fusion_of
from pipeline.models.fusion_levels import DecisionLevel, FeatureLevel
from pipeline.models.options import ModelOptions
from pipeline.models.prediction import ROWS
from pipeline.models.tasks import FOLDER, Generative
from pipeline.models.tower import Tower
from pipeline.models.training.batches import NetworkInputs, Tensors


class Network(nn.Module):
    """From features and a presence mask to logits.

    Parameters
    ----------
    sets:
        The feature sets, in the order of the mask's columns.
    classes:
        Task → number of its classes, 0 of a number.

    `decodings` say by task how its logits are to be read; training fits them at its end.

    Raises
    ------
    PipelineError
        A tower cannot read rows of its set's shape: the message names those that can.
    """

    def __init__(
        self, sets: Sequence[FeatureSpec], classes: Mapping[str, int], options: ModelOptions
    ) -> None:
        super().__init__()
        self.names = [spec.name for spec in sets]
        self.tasks = list(classes)
        wrong = options.check_shapes({spec.name: spec.shape for spec in sets})
        if wrong:
            listed = "; ".join(f"{name}: {message}" for name, message in wrong.items())
            raise PipelineError(f"a tower cannot read its feature set: {listed}")
        chosen = [options.tower_of(spec.name, spec.shape) for spec in sets]
        towers = [Tower(spec.shape, kind) for spec, kind in zip(sets, chosen, strict=True)]
        self.by_name = dict(zip(self.names, towers, strict=True))
        self.towers = nn.ModuleList(towers)
        self.early, self.sequences = options.early, options.joins_sequences
        self.absent = None
        if options.absent == "learned":
            self.absent = nn.Parameter(torch.randn(len(sets), options.tower.width) * 0.02)
        self._copies = {task: getattr(options.tasks[task], "copies", "") for task in classes}
        self.decodings = {task: Decoding(options.tasks[task].kind) for task in classes}
        sizes = [tower.places for tower in towers]
        if options.early:
            sizes = [tower.width for tower in chosen]
        self.level = _level(sizes, classes, options)
        self.space = _space(sets, towers, options)

    def forward(
        self,
        values: Mapping[str, Tensor],
        lengths: Mapping[str, Tensor],
        present: Tensor,
        targets: Mapping[str, Tensor] | None = None,
        teach: bool = False,
    ) -> dict[str, Tensor]:
        """Logits (n, outputs) by task, as many as the head of its kind has.

        values: by set, float32 (n, *shape); lengths: by set, (n,); present: bool (n, sets), of
        which further columns are of sets that this network does not read.
        Whatever stands in an absent set is not looked at. What a task whose answer is a sequence
        does with its targets, if any are given, says `tasks.Generative`.
        """
        tokens = self.tokens(values, lengths, present)
        texts = self.texts(values, lengths, present)
        return self._by_task(self.level(*tokens, self._listed(targets), teach, texts))

    def predict_logits(
        self, tensors: Tensors, visible: np.ndarray, teach: bool = False
    ) -> dict[str, Tensor]:
        """Logits (n, outputs) by task, at view 0, without dropout; `visible`: bool (n, sets).

        teach: whether sequences are compared with the targets, as in training.
        """
        self.eval()
        batches: list[dict[str, Tensor]] = []
        with torch.inference_mode():
            for start in range(0, len(visible), ROWS):
                rows = np.arange(start, min(start + ROWS, len(visible)))
                inputs = tensors.gather(rows, kept=visible[rows])
                targets = tensors.gather_targets(rows)
                batches.append(self(inputs.values, inputs.lengths, inputs.present, targets, teach))
        return {task: torch.cat([batch[task] for batch in batches]) for task in self.tasks}

    def answers(self, examples: Examples, visible: np.ndarray) -> dict[str, np.ndarray]:
        """As `Answering` has it."""
        device = next(self.parameters()).device
        logits = self.predict_logits(Tensors(examples, device), visible)
        return {task: self.decodings[task].probabilities(each) for task, each in logits.items()}

    def training_outputs(
        self,
        values: Mapping[str, Tensor],
        lengths: Mapping[str, Tensor],
        present: Tensor,
        targets: Mapping[str, Tensor] | None = None,
    ) -> list[dict[str, Tensor]]:
        """What training compares with the targets: logits by task, once or often.

        Where the fusion is of decisions, each set has to answer by itself.
        """
        tokens = self.tokens(values, lengths, present)
        texts = self.texts(values, lengths, present)
        return self.task_outputs(*tokens, targets, texts)

    def task_outputs(
        self,
        tokens: Any,
        present: Tensor,
        targets: Mapping[str, Tensor] | None = None,
        texts: Sequence[Tensor | None] | None = None,
    ) -> list[dict[str, Tensor]]:
        """The same of what `tokens` and `texts` give."""
        outputs = self.level.training_outputs(tokens, present, self._listed(targets), texts)
        return [self._by_task(each) for each in outputs]

    def alignment_loss(self, tokens: Any, inputs: NetworkInputs, component: Tensor) -> Tensor:
        """One number; component: int64 (n,). The network has a space."""
        space = self.with_space()
        present = inputs.present[:, : len(self.names)]
        vectors, has = space(self._set_tokens(tokens), present)
        loss = space.loss(vectors, has, component)
        if space.options.reconstruction:
            seen = [
                tower.standardised(inputs.values[name], inputs.lengths[name])
                for name, tower in self.by_name.items()
            ]
            pooled = [
                frame_mean(values, inputs.lengths[name]) if values.ndim == 3 else values
                for name, values in zip(self.by_name, seen, strict=True)
            ]
            loss = loss + space.options.reconstruction * space.reconstruction(vectors, has, pooled)
        return space.options.weight * loss

    def vectors(self, tensors: Tensors, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where examples lie in the space: float32 (n, modalities, dimension), at view 0.

        And bool (n, modalities): which there are, in the order of `Examples.modalities`.
        """
        space = self.with_space().eval()
        self.eval()
        vectors, has = [], []
        with torch.inference_mode():
            for start in range(0, len(visible), ROWS):
                rows = np.arange(start, min(start + ROWS, len(visible)))
                inputs = tensors.gather(rows, kept=visible[rows])
                tokens, _ = self.tokens(inputs.values, inputs.lengths, inputs.present)
                of_rows = space(self._set_tokens(tokens), inputs.present[:, : len(self.names)])
                vectors.append(of_rows[0].cpu().numpy())
                has.append(of_rows[1].cpu().numpy())
        return np.concatenate(vectors), np.concatenate(has)

    def likeness(self, cosines: np.ndarray) -> np.ndarray:
        """Probabilities of answers, float32 (n, answers), by their cosines in the space."""
        with torch.inference_mode():
            logits = torch.from_numpy(cosines) * self.with_space().scale
            return logits.softmax(1).cpu().numpy()

    def with_space(self) -> Space:
        """The space of its modalities; PipelineError if it has none."""
        if self.space is None:
            raise PipelineError("this model has no space of its modalities: give it an `alignment`")
        return self.space

    def set_weights(
        self, values: Mapping[str, Tensor], lengths: Mapping[str, Tensor], present: Tensor
    ) -> dict[str, Tensor]:
        """By task, how much each set counts, (n, sets), where the fusion has such weights."""
        weights = self.level.set_weights(*self.tokens(values, lengths, present))
        return {} if weights is None else self._by_task(weights)

    def tokens(
        self, values: Mapping[str, Tensor], lengths: Mapping[str, Tensor], present: Tensor
    ) -> tuple[Any, Tensor]:
        """What the fusion takes: tokens (n, sets, width), and which of them count, (n, sets).

        Learned tokens stand in for absent sets and count; to `early` goes a list, as sets differ in
        width, and to fusions of sequences one of `TokenSequence`.
        """
        tokens: list[Any] = []
        present = present[:, : len(self.names)]
        for i, (name, tower) in enumerate(self.by_name.items()):
            array = values[name]
            mask = present[:, i].view(-1, *[1] * (array.ndim - 1))
            read = tower.sequence if self.sequences else tower
            tokens.append(read(array.where(mask, 0.0), lengths[name]))
        if self.early or self.sequences:
            if self.absent is None:
                return tokens, present
            filled = [
                sequence.filled(present[:, i : i + 1], self.absent[i])
                for i, sequence in enumerate(tokens)
            ]
            return filled, torch.ones_like(present)
        stacked = torch.stack(tokens, 1)
        if self.absent is None:
            return stacked, present
        return stacked.where(present[..., None], self.absent), torch.ones_like(present)

    def texts(
        self, values: Mapping[str, Tensor], lengths: Mapping[str, Tensor], present: Tensor
    ) -> list[Tensor | None]:
        """By task, the text that its head reads, as `Generative.encode_source` makes it."""
        return [self._text(task, values, lengths, present) for task in self.tasks]

    def _text(
        self,
        task: str,
        values: Mapping[str, Tensor],
        lengths: Mapping[str, Tensor],
        present: Tensor,
    ) -> Tensor | None:
        name, decoding = self._copies[task], self.decodings[task]
        if not name:
            return None
        ids = values[name][..., 0]
        within = torch.arange(ids.shape[1], device=ids.device) < lengths[name][:, None]
        read = ids.where(within & present[:, self.names.index(name), None], 0.0)
        generative = registry.load(FOLDER, decoding.kind, Generative)
        subwords = generative.encode_source(read.cpu().numpy(), decoding.classes)
        return torch.from_numpy(subwords).to(ids.device)

    def token(self, name: str, values: Tensor, lengths: Tensor) -> Tensor:
        """What a space reads of a feature set that is there, (n, width)."""
        tower = self.by_name[name]
        return tower.sequence(values, lengths).mean() if self.sequences else tower(values, lengths)

    def _set_tokens(self, tokens: Any) -> Tensor:
        """Of what `tokens` gives, what a space reads of each set: (n, sets, width)."""
        if not self.sequences:
            stacked: Tensor = tokens
            return stacked
        return torch.stack([sequence.mean() for sequence in tokens], 1)

    def fit(self, train: Examples) -> None:
        """Tell each tower what its feature set looks like in training."""
        for name, tower in self.by_name.items():
            tower.fit(train, name)

    def take_towers(self, other: Network) -> None:
        """Have the towers of another network, for the feature sets that both read.

        Raises
        ------
        PipelineError
            There is no such set, or its tower is another one there.
        """
        shared = [name for name in self.names if name in other.by_name]
        if not shared:
            raise PipelineError(
                f"towers_from: that model reads {', '.join(other.names)}, and this one none of them"
            )
        for name in shared:
            try:
                self.by_name[name].load_state_dict(other.by_name[name].state_dict())
            except RuntimeError:
                raise PipelineError(
                    f"towers_from: the tower of '{name}' is another one there: give this model the "
                    "same `tower`, or leave out towers_from"
                ) from None

    def size(self) -> int:
        """Number of trained parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    def _listed(self, targets: Mapping[str, Tensor] | None) -> list[Tensor | None] | None:
        return None if targets is None else [targets.get(task) for task in self.tasks]

    def _by_task(self, each: Sequence[Tensor]) -> dict[str, Tensor]:
        return dict(zip(self.tasks, each, strict=True))


def _level(
    sizes: Sequence[int], classes: Mapping[str, int], options: ModelOptions
) -> FeatureLevel | DecisionLevel:
    """What is between the towers and the logits.

    sizes: of each set how many tokens its tower gives at most, or its width where none does.
    """
    module = fusion_of(options.fusion)
    fusion_options = module.Options(**options.fusion_options)
    sets, width = len(sizes), options.tower.width
    if options.joins_decisions and classes:
        outputs = list(classes.values())
        return DecisionLevel(module.build(sets, outputs, fusion_options), sets, width, outputs)
    if not classes:
        return FeatureLevel(None, [], [])
    fusion: Any = module.build(
        sizes if options.early or options.joins_sequences else sets,
        options.tower if options.early else width,
        fusion_options,
    )
    heads = [
        options.tasks[task].task.layer(fusion.width, count, options.tasks[task])
        for task, count in classes.items()
    ]
    sequences = [options.tasks[task].task.SEQUENCE for task in classes]
    return FeatureLevel(fusion, heads, sequences)


def _space(
    sets: Sequence[FeatureSpec], towers: Sequence[Tower], options: ModelOptions
) -> Space | None:
    """Where the model's modalities meet, if it has such."""
    if options.alignment is None:
        return None
    modalities = sorted({spec.modality for spec in sets})
    owner = [modalities.index(spec.modality) for spec in sets]
    bands = [0 if tower.ids else spec.shape[-1] for spec, tower in zip(sets, towers, strict=True)]
    return Space(owner, options.tower.width, bands, options.alignment)
