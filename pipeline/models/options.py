"""The options of a model and of its training. All of them are keyed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from pipeline.core import registry
from pipeline.core.errors import PipelineError
from pipeline.core.options import Options
from pipeline.models import fusion, tasks, towers
from pipeline.models.alignment.options import ALIGNMENT, AlignmentOptions
from pipeline.models.fusion import fusion_of
from pipeline.models.task_options import TaskOfKind, TaskOptions
from pipeline.models.tower_options import TowerOfKind, TowerOptions, check_shape, of_kind
from pipeline.models.towers import identity


def _of_kind(options: TaskOptions, kind: str) -> TaskOptions:
    given = {**options.model_dump(exclude_unset=True), "kind": kind}
    checked: TaskOptions = TypeAdapter(TaskOfKind).validate_python(given)
    return checked


class ModelOptions(Options):
    """One model: which feature sets it reads, how it joins them, how it is trained."""

    features: tuple[str, ...] = Field(min_length=1, description="names of feature sets")
    fusion: str = Field(default="none", description="file name in pipeline/models/fusion")
    fusion_options: dict[str, Any] = Field(
        default_factory=dict, description="the fusion's own options"
    )
    tower: TowerOfKind = Field(
        default_factory=lambda: of_kind({}), description="the network of each feature set"
    )
    towers: dict[str, TowerOfKind] = Field(
        default_factory=dict, description="by feature set, another network; its width is tower's"
    )
    absent: Literal["masked", "learned"] = Field(
        default="masked",
        description="whether the fusion leaves an absent set out, or sees a learned token there",
    )
    tasks: dict[str, TaskOfKind] = Field(
        default_factory=dict, description="targets to learn, by name"
    )
    alignment: AlignmentOptions | None = Field(
        default=None,
        exclude_if=lambda options: options is None,
        description="one space for the modalities, learned from what occurs together; with or "
        "without tasks",
    )
    weighting: Literal["fixed", "uncertainty"] = Field(
        default="fixed",
        description="whether the tasks' weights stand, or a learned factor multiplies each",
    )
    towers_from: str = Field(
        default="",
        exclude_if=lambda folder: not folder,
        description="folder that `pipeline freeze` wrote: towers of sets that its model reads too "
        "begin as they are there, empty: at random",
    )
    primary: str = Field(
        default="", description="the task by which models are compared; alignment where none is"
    )
    modality_dropout: float = Field(
        default=0.4, ge=0, lt=1, description="chance that training hides a modality of an example"
    )
    views: int = Field(
        default=0, ge=0, le=100, description="augmented views that training draws from"
    )
    epochs: int = Field(
        default=24, ge=1, le=10_000, description="passes over the train split at most"
    )
    patience: int = Field(
        default=8,
        ge=1,
        le=10_000,
        description="epochs without a better validation before it stops",
    )
    monitor: Literal["macro_f1", "loss"] = Field(
        default="macro_f1",
        description="what on the validation split must get better, the tasks' mean by weight: "
        "macro-F1 (R² of a number, mean recall of an alignment), or the loss",
    )
    batch_size: int = Field(default=256, ge=1, le=65_536, description="examples per step")
    learning_rate: float = Field(
        default=2e-3, gt=0, le=1, description="AdamW's step size at its peak"
    )
    weight_decay: float = Field(default=1e-2, ge=0, le=10, description="AdamW's decay")
    label_smoothing: float = Field(
        default=0.1, ge=0, lt=1, description="probability spread evenly over the classes"
    )
    warmup: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of all steps over which the step size rises to its peak",
    )
    clip: float | None = Field(
        default=None,
        gt=0,
        le=1e6,
        description="norm that a step's gradient is cut down to; empty: it is left as it is",
    )
    accumulate: int = Field(
        default=1,
        ge=1,
        le=65_536,
        description="pieces that a batch goes through in one after the other, to need less memory",
    )
    average: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share that a running mean of the weights keeps at each step; the mean is then "
        "what is validated and kept. 0: the weights themselves are",
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="what most of a step computes in; weights stay float32"
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="processes that share each batch, on Ray; 1: this one alone, without Ray",
    )
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="where training computes")

    @model_validator(mode="before")
    @classmethod
    def _complete_fusion(cls, data: Any) -> Any:
        """Check the fusion's own options, and fill in their defaults, which are keyed too."""
        if not isinstance(data, dict):
            return data
        options = data.get("fusion_options", {})
        try:
            module = fusion_of(str(data.get("fusion", "none")))
            complete = module.Options.model_validate(options).model_dump(mode="json")
        except PipelineError as error:
            raise ValueError(f"fusion: {error}") from None
        except ValidationError as error:
            wrong = [
                f"fusion_options.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
            ]
            raise ValueError("; ".join(wrong)) from None
        return {**data, "fusion_options": complete}

    @model_validator(mode="before")
    @classmethod
    def _share_width(cls, data: Any) -> Any:
        """Tokens of one model are of one width, so that it need not be said again."""
        if not isinstance(data, dict) or not isinstance(data.get("towers"), dict):
            return data
        tower = data.get("tower")
        declared_width = (
            tower.get("width") if isinstance(tower, dict) else getattr(tower, "width", None)
        )
        width = TowerOptions().width if declared_width is None else declared_width
        towers = {
            name: {"width": width, **tower_options}
            if isinstance(tower_options, dict)
            else tower_options
            for name, tower_options in data["towers"].items()
        }
        return {**data, "towers": towers}

    @model_validator(mode="before")
    @classmethod
    def _compare_by_alignment(cls, data: Any) -> Any:
        """Without tasks there is nothing else to compare by."""
        if isinstance(data, dict) and data.get("alignment") is not None and not data.get("tasks"):
            return {"primary": ALIGNMENT, **data}
        return data

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for task, options in self.tasks.items():
            if len(set(options.order)) < len(options.order):
                raise ValueError(f"tasks.{task}.order: one is named twice")
        if not self.objectives:
            raise ValueError("tasks: name a target to learn, or give the model an `alignment`")
        if self.primary not in self.objectives:
            listed = list(self.objectives)
            raise ValueError(f"primary: '{self.primary}' is not one of tasks: {listed}")
        if len(set(self.features)) < len(self.features):
            raise ValueError(f"features: one is named twice in {list(self.features)}")
        for name, tower_options in self.towers.items():
            if name not in self.features:
                raise ValueError(f"towers: '{name}' is not one of features: {list(self.features)}")
            if tower_options.width != self.tower.width:
                raise ValueError(f"towers.{name}.width: it is not tower.width, {self.tower.width}")
        module = fusion_of(self.fusion)
        options = module.Options(**self.fusion_options)
        module.check(len(self.features), self.tower.width, options)
        if self.joins_decisions and self.absent == "learned":
            raise ValueError(
                f"fusion '{self.fusion}' joins the decisions of those that are there: it takes no "
                f"`absent: learned`"
            )
        if self.early and (self.towers or self.absent == "learned"):
            raise ValueError(
                "fusion 'early' joins sets before any tower, with flags for absent ones: it takes "
                "neither `towers` nor `absent: learned`"
            )
        return self

    @model_validator(mode="after")
    def _check_training(self) -> Self:
        if self.accumulate > self.batch_size:
            raise ValueError(
                f"accumulate: a batch_size of {self.batch_size} makes no {self.accumulate} pieces; "
                f"give it {self.batch_size} at most"
            )
        if self.accumulate * self.workers > self.batch_size:
            raise ValueError(
                f"workers: a batch_size of {self.batch_size} is too small for {self.workers} "
                f"workers with {self.accumulate} piece(s) each; raise batch_size, or lower either"
            )
        if self.precision == "float16" and self.device != "cuda":
            raise ValueError(
                "precision: float16 needs `device: cuda`; bfloat16 and float32 do without"
            )
        return self

    @model_validator(mode="after")
    def _check_alignment(self) -> Self:
        if self.alignment is None:
            return self
        if self.early:
            raise ValueError(
                "alignment: fusion 'early' joins sets before any tower, and a space needs a tower "
                "for each: take another fusion"
            )
        if self.accumulate > 1 or self.workers > 1:
            raise ValueError(
                "alignment: its loss compares all examples of a batch with each other: leave "
                "accumulate and workers at 1"
            )
        return self

    @property
    def objectives(self) -> tuple[str, ...]:
        """What has a loss of its own: the tasks and, last, the alignment."""
        return (*self.tasks, *([ALIGNMENT] if self.alignment is not None else []))

    @property
    def early(self) -> bool:
        """Whether features are joined before the one tower, which is `tower`."""
        return fusion_of(self.fusion).LEVEL == "features"

    @property
    def joins_sequences(self) -> bool:
        """Whether the fusion attends over sequences, which towers then keep apart."""
        return fusion_of(self.fusion).LEVEL == "sequences"

    @property
    def joins_decisions(self) -> bool:
        """Whether the sets decide by themselves, and the fusion joins their decisions."""
        return fusion_of(self.fusion).LEVEL == "decisions"

    @property
    def kinds(self) -> tuple[str, ...]:
        """All the kinds of tower that the model is made of, sorted."""
        towers = [self.tower, *self.towers.values()]
        if self.early:
            towers.append(identity.Options(kind="identity"))
        return tuple(sorted({kind for tower_options in towers for kind in tower_options.kinds}))

    @property
    def modules(self) -> list[str]:
        """Dotted names of the plug-ins that the model is made of: fusion, towers, tasks."""
        kinds = sorted({task.kind for task in self.tasks.values()})
        return [
            registry.locate(fusion.FOLDER, self.fusion),
            *(registry.locate(towers.FOLDER, kind) for kind in self.kinds),
            *(registry.locate(tasks.FOLDER, kind) for kind in kinds),
        ]

    @property
    def keyed(self) -> dict[str, Any]:
        """What of the options a training's key holds: all but where a network's files lie."""
        return {
            **self.model_dump(mode="json"),
            "tower": self.tower.keyed(),
            "towers": {name: tower.keyed() for name, tower in self.towers.items()},
        }

    @property
    def tower_by_set(self) -> dict[str, TowerOptions]:
        """What is said of each feature set's tower."""
        return {name: self.towers.get(name, self.tower) for name in self.features}

    @property
    def weights(self) -> dict[str, Path]:
        """Files that its towers begin as, by `SET/NAME`.

        Raises
        ------
        PipelineError
            One is missing.
        """
        return {
            f"{name}/{path.name}": path
            for name, tower in self.tower_by_set.items()
            for path in tower.weights()
        }

    def tower_of(self, name: str, shape: tuple[int, ...]) -> TowerOptions:
        """The tower of a feature set whose rows have that shape."""
        if self.early:
            return identity.Options(kind="identity", width=shape[-1])
        return self.towers.get(name, self.tower)

    def check_shapes(
        self, shapes: Mapping[str, tuple[int, ...]], ids: Mapping[str, bool] | None = None
    ) -> dict[str, str]:
        """What towers cannot do with rows of these shapes, by `towers.SET`.

        With `early` fusion what the one tower cannot do with all of them joined is by `fusion`.

        Parameters
        ----------
        shapes:
            By feature set, (D,) or (frames, bands).
        ids:
            By feature set, whether it holds ids of words, where that is known.
        """
        wrong = {}
        for name, shape in shapes.items():
            try:
                check_shape(shape, self.tower_of(name, shape), (ids or {}).get(name))
            except ValueError as error:
                wrong[f"towers.{name}"] = str(error)
        if self.early:
            width = sum(shape[-1] for shape in shapes.values()) + len(shapes)
            try:
                check_shape((width,), self.tower, ids=False)
            except ValueError as error:
                wrong["fusion"] = str(error)
        return wrong

    def as_kinds(self, kinds: Mapping[str, str]) -> Self:
        """The same, each task that names no kind being learned as what its target is."""
        learned = {
            task: options if "kind" in options.model_fields_set else _of_kind(options, kinds[task])
            for task, options in self.tasks.items()
        }
        return self.model_copy(update={"tasks": learned})
