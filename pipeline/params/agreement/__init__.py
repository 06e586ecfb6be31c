"""Whether the sections of params.yaml agree, so that no stage finds out hours later."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from pipeline import modalities as plugins
from pipeline.core.errors import PipelineError, unknown
from pipeline.core.records import SPLITS
from pipeline.encoders import encoder_of
from pipeline.modalities import measures, modality_of
from pipeline.models.alignment.options import ALIGNMENT
from pipeline.models.evaluation.options import DURATION, PRESENCE, SOURCE
from pipeline.models.tasks import kinds, task_of
from pipeline.store.views import is_table

# Names that become folders and stages of DVC, for which a dot leads into a section.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
NAMED = ("sources", "features", "models", "compress", "predict", "verification")
# Names of targets become folders of learning curves and fields of SQL.
TARGET = re.compile(r"\w([\w -]*\w)?")
# What the project calls so itself where such a name would stand, in whatever case.
RESERVED = {
    "features": {"sample_id", "sample_ids", "split"},  # beside sets, in what is exported
    "targets": {*SPLITS, "score", ALIGNMENT},  # beside tasks, among the curves of a training
}

Mistakes = Iterator[tuple[str, str]]


def cross_check(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """(path, message) of everything that one section says and another contradicts.

    Parameters
    ----------
    values:
        The sections by name, as fields of Params. What is wrong in itself is left out or None,
        and is not held against the others.
    named:
        Section → all the names that it gives, of wrong entries too.
    """
    for section in NAMED:
        yield from _names(section, named[section])
    for name in named["targets"]:
        if not TARGET.fullmatch(name):
            reason = "names are letters and digits, with blanks and - between them"
            yield f"targets.{name}", f"'{name}' cannot name a target; {reason}"
    for section in (*NAMED, "targets"):
        yield from _taken(section, named[section])
    yield from _roots(values, named)
    yield from _downloads(values, named)
    yield from _targets_of_sources(values, named)
    yield from _spoken(values)
    if values["ingest"]:
        yield from _optional(values)
    for path, model in _models(values):
        yield from _features(path, model, named)
        yield from _tasks(path, model, values, named)
        yield from _views(path, model, values)
        yield from _towers(path, model, values)
        yield from _alignment(path, model, values)
    yield from _compressed(values, named)
    yield from _predicted(values, named)
    yield from _verified(values, named)
    if values["curate"]:
        yield from _joins(values)
    if values["evaluate"]:
        yield from _groups(values, named)
        yield from _named_classes(values, named)
    for name in values["contract"]:
        if name not in named["sources"]:
            yield f"contract.{name}", unknown("source", name, named["sources"])
    if values["handover"]:
        for name in values["handover"].licences:
            if name not in named["features"]:
                yield f"handover.licences.{name}", unknown("feature set", name, named["features"])
    if values["comparison"]:
        yield from _names("comparison.models", values["comparison"].models)
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


def _names(section: str, names: Collection[str]) -> Mistakes:
    for name in names:
        if not NAME.fullmatch(name):
            yield (
                f"{section}.{name}",
                f"'{name}' cannot name a folder; names are letters and digits of ASCII, with "
                "any of _ - after the first",
            )
        elif section == "features" and is_table(name):
            yield f"{section}.{name}", f"'{name}' is a table of the store's SQL: take another name"


def _taken(section: str, names: Collection[str]) -> Mistakes:
    """Names that the project uses itself, and those of which only case makes two."""
    for name in names:
        if name.lower() in RESERVED.get(section, ()):
            reason = f"'{name}' is a name that the project uses itself: take another"
            yield f"{section}.{name}", f"{reason}, such as '{name}_given'; columns keep theirs"
        others = sorted(other for other in names if other.lower() == name.lower() and other < name)
        if others:
            yield f"{section}.{name}", f"'{name}' and '{others[0]}' differ by case alone"


def _roots(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """`look` names the sources with a root of their own, so that no change there goes unseen."""
    rooted = {name for name, source in values["sources"].items() if source.root}
    for name in sorted(rooted.difference(values["look"])):
        path = f"sources.{name}.root"
        yield path, f"DVC does not see what changes there: add `look: {{{name}: {{}}}}`"
    for name in values["look"]:
        if name not in named["sources"]:
            yield f"look.{name}", unknown("source", name, named["sources"])
        elif name in values["sources"] and name not in rooted:
            yield f"look.{name}", "the source has no root, and DVC sees data/raw by itself"


def _downloads(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    for name in values["download"]:
        if name not in named["sources"]:
            yield f"download.{name}", unknown("source", name, named["sources"])


def _targets_of_sources(
    values: Mapping[str, Any], named: Mapping[str, Collection[str]]
) -> Mistakes:
    """A source whose options map columns to targets names targets that there are."""
    for name, source in values["sources"].items():
        for column, target in (getattr(source.options, "targets", None) or {}).items():
            if target not in named["targets"]:
                path = f"sources.{name}.targets.{column}"
                yield path, unknown("target", target, named["targets"])
        folders = getattr(source.options, "folders", None)
        if folders is not None and folders not in named["targets"]:
            yield f"sources.{name}.folders", unknown("target", folders, named["targets"])


def _spoken(values: Mapping[str, Any]) -> Mistakes:
    """Recordings become words where the cleaning of these has a recogniser."""
    for name, source in values["sources"].items():
        for modality in getattr(source.options, "from_audio", ()):
            cleaning = values["clean"].get(modality)
            if cleaning and getattr(cleaning.options, "speech", cleaning) is None:
                path = f"sources.{name}.from_audio"
                yield path, f"nothing recognises speech: write `clean.{modality}.speech: {{}}`"


def _optional(values: Mapping[str, Any]) -> Mistakes:
    known = plugins.modalities()
    for i, modality in enumerate(values["ingest"].optional):
        if modality not in known:
            yield f"ingest.optional.{i}", unknown("modality", modality, known)


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


def _named_classes(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """Targets whose classes have names by which they can be told."""
    if values["evaluate"].label_shares and not values["evaluate"].zero_shot:
        yield "evaluate.label_shares", "name the targets that are learned in `evaluate.zero_shot`"
    for i, target in enumerate(values["evaluate"].zero_shot):
        kind = values["targets"].get(target)
        if target not in named["targets"]:
            yield f"evaluate.zero_shot.{i}", unknown("target", target, named["targets"])
        elif kind is not None and not task_of(kind).ONE_CLASS:
            problem = f"'{target}' is of kind {kind}, and no sample has one class of it"
            yield f"evaluate.zero_shot.{i}", problem


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
            yield f"{path}.student", _told(error)
            continue
        yield from _features(f"{path}.student", student, named)
        yield from _views(f"{path}.student", student, values)
        yield from _towers(f"{path}.student", student, values)


def _predicted(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """Sources that are answered for, beside one at least that something is learnt from."""
    sources = set()
    for name, options in values["predict"].items():
        sources.add(options.source)
        if options.source not in named["sources"]:
            yield f"predict.{name}.source", unknown("source", options.source, named["sources"])
        elif sources.issuperset(named["sources"]):
            reason = "nothing is learnt from a source that is answered for, and there is no other"
            yield f"predict.{name}.source", reason


def _verified(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    for name, options in values["verification"].items():
        for system, each in options.systems.items():
            yield from _features(f"verification.{name}.systems.{system}", each, named)


def _told(error: ValueError) -> str:
    """What is wrong, of a validation that may have several things to say."""
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(
        f"{'.'.join(map(str, each['loc']))} {each['msg'].removeprefix('Value error, ')}".strip()
        for each in error.errors()
    )


def _joins(values: Mapping[str, Any]) -> Mistakes:
    modalities = values["modalities"]
    hashed = [name for name in modalities if modality_of(name).LEAK_KEY]
    for name, join in values["curate"].join_on.items():
        path = f"curate.join_on.{name}"
        if name not in modalities:
            yield path, unknown("modality", name, modalities)
        elif join == "near" and name not in hashed:
            yield (
                path,
                f"{name} cannot join on near, having no perceptual hash; there are: "
                f"{', '.join(hashed) or 'none'}; set it to equal",
            )


def _groups(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """Targets, and attributes where every source says in its options which it has."""
    attributes: set[str] = set()
    for name in named["sources"]:
        source = values["sources"].get(name)
        declared = getattr(source.options, "attributes", None) if source else None
        if declared is None:
            return
        attributes |= set(declared)
    known = {*named["targets"], *attributes, PRESENCE, SOURCE}
    if any(measures(name, DURATION) for name in values["clean"]):
        known.add(DURATION)
    for i, name in enumerate(values["evaluate"].group_by):
        if name not in known:
            yield f"evaluate.group_by.{i}", unknown("target or attribute", name, known)
