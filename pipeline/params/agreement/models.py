"""Models, and what else reads feature sets and learns targets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from pipeline.core.errors import PipelineError, unknown
from pipeline.encoders import encoder_of
from pipeline.models.tasks import kinds, task_of
from pipeline.params.agreement.names import Mistakes, check_folder_names


def check_models(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """See `cross_check`."""
    for path, model in _models(values):
        yield from _features(path, model, named)
        yield from _tasks(path, model, values, named)
        yield from _views(path, model, values)
        yield from _towers(path, model, values)
        yield from _alignment(path, model, values)
    yield from _compressed(values, named)
    yield from _verified(values, named)
    if values["comparison"]:
        yield from _compared(values, named)


def _models(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Path and options of every model, of those that are compared too."""
    for name, model in values["models"].items():
        yield f"models.{name}", model
    if values["comparison"]:
        for name, model in values["comparison"].models.items():
            yield f"comparison.models.{name}", model


def _features(path: str, model: Any, named: Mapping[str, Collection[str]]) -> Mistakes:
    for i, used in enumerate(model.features):
        if used not in named["features"]:
            yield f"{path}.features.{i}", unknown("feature set", used, named["features"])


def _tasks(
    where: str, model: Any, values: Mapping[str, Any], named: Mapping[str, Collection[str]]
) -> Mistakes:
    for task, options in model.tasks.items():
        path = f"{where}.tasks.{task}"
        kind = values["targets"].get(task)
        if copies := getattr(options, "copies", ""):
            yield from _copied(f"{path}.copies", copies, model, values)
        given = getattr(options, "given", "")
        if given and (given not in named["targets"] or given == task):
            others = [name for name in named["targets"] if name != task]
            yield f"{path}.given", unknown("target", given, others)
        if task not in named["targets"]:
            yield path, unknown("target", task, named["targets"])
        elif (
            kind is not None
            and model.joins_decisions
            and not task_of(_learned(options, kind)).SOFTMAX
        ):
            able = [name for name in kinds() if task_of(name).SOFTMAX]
            yield (
                path,
                f"'{model.fusion}' joins decisions between classes, not targets of kind {kind}: "
                f"take `late` or `weighted_sum`; classes can be learnt as `kind: "
                f"{' or '.join(able)}`",
            )
        elif kind is not None and "kind" in options.model_fields_set:
            # Of kinds with one class a sample, a target of one can be learned as another.
            fit = _one_class() if task_of(kind).ONE_CLASS else [kind]
            if options.kind not in fit:
                problem = f"a target of kind {kind} cannot be learnt as {options.kind}"
                yield f"{path}.kind", f"{problem}; there are: {', '.join(fit)}"


def _copied(path: str, used: str, model: Any, values: Mapping[str, Any]) -> Mistakes:
    """A text that a head reads is one of the model's sets, as the encoder `utf8` makes them."""
    fit = [
        name
        for name in model.features
        if name in values["features"] and values["features"][name].encoder == "utf8"
    ]
    if used not in fit:
        yield path, unknown("feature set of the encoder utf8 among `features`", used, fit)


def _one_class() -> list[str]:
    return [kind for kind in kinds() if task_of(kind).ONE_CLASS]


def _learned(options: Any, kind: str) -> str:
    return str(options.kind) if "kind" in options.model_fields_set else kind


def _views(path: str, model: Any, values: Mapping[str, Any]) -> Mistakes:
    modalities = {values["features"][s].modality for s in model.features if s in values["features"]}
    sections = [values["augment"].get(modality) for modality in modalities]
    drawn = min((section.views for section in sections if section), default=model.views)
    if model.views > drawn:
        yield f"{path}.views", f"trains on {model.views} views, but augment makes {drawn}"


def _towers(path: str, model: Any, values: Mapping[str, Any]) -> Mistakes:
    """Towers that cannot read what their encoders make, as far as that can be told by now."""
    shapes, ids = {}, {}
    for used in model.features:
        feature = values["features"].get(used)
        if feature is None:
            continue
        encoder = encoder_of(feature.encoder)
        try:
            shapes[used] = encoder.shape(feature.options)
        except PipelineError:  # its weights are missing, of which check speaks
            continue
        ids[used] = getattr(encoder, "IDS", False)
        if ids[used] and feature.dtype != "float32":
            yield f"features.{used}.dtype", f"ids of words need float32, not {feature.dtype}"
        timed = getattr(feature.options, "times", None)
        if model.tower_of(used, shapes[used]).times and not timed:
            mend = f"set `times: true` in features.{used}, or"
            if timed is None:
                mend = f"encoder '{feature.encoder}' gives none:"
            problem = f"the frames of '{used}' bear no times: {mend} leave `times` out of the tower"
            yield f"{path}.towers.{used}.times", problem
        try:
            model.tower_of(used, shapes[used]).check_set(feature.encoder, feature.options)
        except (ValueError, PipelineError) as error:
            yield f"{path}.towers.{used}", str(error)
    if len(shapes) == len(model.features):
        for option, problem in model.check_shapes(shapes, ids).items():
            yield f"{path}.{option}", problem


def _alignment(path: str, model: Any, values: Mapping[str, Any]) -> Mistakes:
    """A space needs modalities to align."""
    if model.alignment is None or not values["features"].keys() >= {*model.features}:
        return
    modalities = {values["features"][used].modality for used in model.features}
    if len(modalities) < 2:
        problem = f"all its features are of {', '.join(modalities)}: name one of another modality"
        yield f"{path}.alignment", problem


def _compressed(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """Compressions of models that there are, to students that these can teach."""
    for name, options in values["compress"].items():
        path = f"compress.{name}"
        if name in named["models"]:
            yield path, f"'{name}' is a name of `models`: take another, by which it is asked for"
        if options.model not in named["models"]:
            yield f"{path}.model", unknown("model", options.model, named["models"])
        if (model := values["models"].get(options.model)) is None:
            continue
        if not model.tasks:
            yield f"{path}.model", f"'{options.model}' has no tasks by which it could be judged"
            continue
        for task, learned in model.tasks.items():
            if task_of(_learned(learned, values["targets"].get(task, learned.kind))).SEQUENCE:
                reason = f"'{options.model}' answers with a text ('{task}'), whose decoder is left"
                yield f"{path}.model", f"{reason} as it is: no smaller model is made of it"
        try:
            student = options.student_of(model)
        except ValueError as error:
            yield f"{path}.student", _messages(error)
            continue
        yield from _features(f"{path}.student", student, named)
        yield from _views(f"{path}.student", student, values)
        yield from _towers(f"{path}.student", student, values)


def _messages(error: ValueError) -> str:
    """What is wrong, of a validation that may have several things to say."""
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(
        f"{'.'.join(map(str, each['loc']))} {each['msg'].removeprefix('Value error, ')}".strip()
        for each in error.errors()
    )


def _verified(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    for name, options in values["verification"].items():
        for system, each in options.systems.items():
            yield from _features(f"verification.{name}.systems.{system}", each, named)


def _compared(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """Classifiers that can be compared, by a target that they can be compared by."""
    yield from check_folder_names("comparison.models", values["comparison"].models)
    task = values["comparison"].task
    for name, model in values["comparison"].models.items():
        if model.workers > 1:
            path = f"comparison.models.{name}.workers"
            yield path, "here trainings run side by side, each in one process: leave it at 1"
        if model.alignment or model.towers_from:
            option = "alignment" if model.alignment else "towers_from"
            problem = "classifiers are compared on folds that no tower has seen"
            yield f"comparison.models.{name}.{option}", f"{problem}: leave it out"
    kind = values["targets"].get(task)
    if kind is not None and not task_of(kind).ONE_CLASS:
        problem = f"compares by macro-F1, and '{task}' is of kind {kind}"
        yield "comparison.models", f"{problem}; primary may be {', '.join(_one_class())}"
    for name, used in values["comparison"].baseline.features.items():
        if used not in named["features"]:
            path = f"comparison.baseline.features.{name}"
            yield path, unknown("feature set", used, named["features"])
