"""The challenger against the model in use, on the answers that both gave to the same samples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.documents import parsed, reading
from pipeline.core.folders import CURATED, DATA, MODELS, RAW
from pipeline.models.evaluation.options import PRESENCE
from pipeline.monitoring.gate import Question, decide
from pipeline.monitoring.ledger import FRESH, Look
from pipeline.monitoring.options import GateOptions
from pipeline.monitoring.paired_answers import PairedAnswers, class_weights
from pipeline.nightly.costs import costs
from pipeline.nightly.fresh import SPLIT, Answers, fresh_answers
from pipeline.nightly.journal import Night, Verdict
from pipeline.nightly.model_answers import Answer, evaluated, is_choice
from pipeline.nightly.options import NightlyOptions
from pipeline.nightly.recipe import model_name, recipe
from pipeline.params import Params
from pipeline.params.aliases import Alias
from pipeline.parts.artifact import read_manifest
from pipeline.raw.held_samples import held_ids
from pipeline.store.format.reader import table_of
from pipeline.store.model_card import CARD
from pipeline.store.trees.revision import Revision
from pipeline.store.trees.tree import Tree, WorkTree

LOOKS = Path("nightly", "looks.jsonl")
# All test components have one name, however many there come to be: see `frozen_level`.
TEST = "test"


def judge(params: Params, options: NightlyOptions, night: Night, champion: Alias | None) -> Verdict:
    """Promote the challenger or keep the model in use, with the reason.

    Raises
    ------
    PipelineError
        There is no evaluation of the challenger, or the champion's cannot be had.
    """
    here = WorkTree(Path(DATA))
    if not read_manifest(Path(DATA, MODELS, options.model)):
        raise PipelineError(f"there is no model {options.model}: `dvc repro` trains it")
    if champion is None:
        why = f"Promoted: no model was in use, so {options.model} of tonight is the first."
        return Verdict("promoted", "first", why)
    try:
        there = Revision.at(Path(), champion.revision)
        names = model_name(there, champion.model), model_name(here, options.model)
    except PipelineError as error:
        raise PipelineError(
            f"aliases.yaml: the model in use, {champion.model} at {champion.revision[:12]}, cannot "
            f"be read: {error}"
        ) from None
    if names[0] == names[1]:
        return Verdict("held", "same", "Held: tonight's data changed nothing of the model in use.")
    task = params.models[options.model].primary
    if not is_choice(params, task):
        why = (
            f"Held: {task} is no choice of one class, which the gate compares; look at the report "
            f"and decide by `pipeline nightly promote {night.run}`."
        )
        return Verdict("held", "by_hand", why)
    frozen = evaluated(there, champion.model, task), evaluated(here, options.model, task)
    fresh = fresh_answers(params, options.model, task, night, champion)
    question = _question(params, night, task, names, frozen, fresh)
    if question is None:
        why = (
            "Held: the challenger and the model in use have no test sample in common, so nothing "
            "can be said of which is better."
        )
        return Verdict("held", "nothing_in_common", why)
    question = replace(
        question,
        recipe=recipe(here, params, options.model),
        demands=_demands(there, champion, options.model, task, params),
        costs=costs(params, options.model, champion),
    )
    return ask(question, read_looks(), params.monitoring.gate, params.seed)


def ask(question: Question, looks: Sequence[Look], options: GateOptions, seed: int) -> Verdict:
    """The gate's decision as a night's verdict."""
    decision = decide(question, looks, options, seed)
    figures = {
        "gain": decision.gain,
        "low": decision.low,
        "high": decision.high,
        "macro_f1_gain": decision.macro_f1_gain,
        "components": float(len(np.unique(question.frozen.component))),
    }
    if decision.worst is not None:
        figures["worst_slice"] = decision.worst.gain
    for look in decision.looks:
        if (look.kind, look.claim) == (FRESH, "better"):
            figures |= {
                "fresh_gain": look.gain,
                "fresh_components": float(look.components),
                "fresh_evidence": look.e_value,
            }
    for whose, cost in zip(("before", "after"), question.costs, strict=True):
        measured = {name: value for name, value in asdict(cost).items() if value is not None}
        figures |= {f"{name}_{whose}": value for name, value in measured.items()}
    return Verdict(
        "promoted" if decision.verdict == "promote" else "held",
        decision.rule,
        decision.why,
        figures,
        [{**asdict(look), "log_wealth": [*look.log_wealth]} for look in decision.looks],
    )


def read_looks() -> list[Look]:
    """What the gate has asked of test sets so far, in its order.

    Raises
    ------
    PipelineError
        A line of the file is no look.
    """
    try:
        lines = LOOKS.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    try:
        return [_look(line) for line in lines]
    except ValueError:
        raise PipelineError(f"{LOOKS} is damaged: `git log -p {LOOKS}` shows what it was") from None


def _look(line: bytes) -> Look:
    # JSON has no tuples, and the form is strict.
    values = json.loads(line)
    wealth = tuple(values.pop("log_wealth", ()))
    return replace(parsed(json.dumps(values), Look), log_wealth=wealth)


def write_looks(night: Night) -> None:
    """Put what a run asked behind what was asked before, once."""
    assert night.verdict is not None
    before = [asdict(look) for look in read_looks() if look.night != night.run]
    looks = [*before, *night.verdict.looks]
    if not looks:
        return
    with atomic_write(LOOKS) as temporary:
        temporary.write_text("".join(json.dumps(look) + "\n" for look in looks), encoding="utf-8")


def _question(
    params: Params,
    night: Night,
    task: str,
    names: tuple[str, str],
    frozen: Answers,
    fresh: Answers | None,
) -> Question | None:
    """What is asked, but for demands and costs; None without a common test sample.

    What classes weigh comes from samples of the train split that no test reads, so not from fresh
    ones.
    """
    before, after = frozen
    unread = fresh[0].keys() if fresh else ()
    curated = table_of(
        WorkTree(Path(DATA)), CURATED, ["sample_id", "component", "split", f"target.{task}"]
    ).to_pylist()
    components = {row["sample_id"]: row["component"] for row in curated}
    labelled = [row for row in curated if row["split"] == "train" and row[f"target.{task}"]]
    train = [row for row in labelled if row["sample_id"] not in unread]
    answers = [answer for each in (*frozen, *(fresh or ())) for answer in each.values()]
    labels = sorted(
        {row[f"target.{task}"] for row in labelled}
        | {label for answer in answers for label in (answer.truth, answer.prediction)}
    )
    places = {label: place for place, label in enumerate(labels)}
    splits = {
        split: _paired(split, before, after, components, places) for split in ("test", "validation")
    }
    if not len(splits["test"]) or not train:
        return None
    weights = class_weights(
        np.array([places[row[f"target.{task}"]] for row in train]),
        np.array([row["component"] for row in train]),
        len(labels),
    )
    validation = splits["validation"]
    return Question(
        night=night.run,
        champion=names[0],
        challenger=names[1],
        recipe="",
        test_set=TEST,
        frozen=splits["test"],
        fresh=_paired(SPLIT, *fresh, components, places) if fresh else None,
        weights=weights,
        validation_gain=float(validation.gains(weights).mean()) if len(validation) else None,
    )


def _paired(
    split: str,
    before: Mapping[str, Answer],
    after: Mapping[str, Answer],
    components: Mapping[str, str],
    places: Mapping[str, int],
) -> PairedAnswers:
    """The samples of a split that both models answered, neither having learnt from them.

    Parameters
    ----------
    before, after:
        Sample → answer, of the model in use and of the other.
    """
    common = sorted(
        sample
        for sample in before.keys() & after.keys() & components.keys()
        if before[sample].split == after[sample].split == split
    )
    return PairedAnswers(
        component=np.array([components[sample] for sample in common]),
        truth=np.array([places[after[sample].truth] for sample in common], int),
        champion=np.array([places[before[sample].prediction] for sample in common], int),
        challenger=np.array([places[after[sample].prediction] for sample in common], int),
        slices={
            PRESENCE: np.array(["+".join(after[s].present) or "none" for s in common], object),
            "class": np.array([after[sample].truth for sample in common], object),
        },
    )


def _demands(
    there: Revision, champion: Alias, model: str, task: str, params: Params
) -> tuple[str, ...]:
    """What asks for a new model even if it is no better."""
    demands = []
    known, now = (_classes(tree, name, task) for tree, name in (
        (there, champion.model), (WorkTree(Path(DATA)), model),
    ))  # fmt: skip
    if new := sorted(now - known):
        demands.append(f"the model in use does not know {', '.join(new)}")
    for source in params.sources:
        standing = {path.name for path in Path(DATA, RAW, source).glob("*")}
        gone = [batch for batch in there.names(f"{RAW}/{source}") if batch not in standing]
        if gone:
            demands.append(f"{', '.join(gone)} was withdrawn, from which the model in use learnt")
    held = {sample for source in params.sources for sample in held_ids(Path(DATA, RAW, source))}
    split = dict(zip(*_columns(there, "sample_id", "split"), strict=True))
    if gone := [sample for sample in sorted(held) if split.get(sample) == "train"]:
        demands.append(
            f"{len(gone)} sample(s) were withdrawn, from which the model in use learnt, such as "
            f"{gone[0]}"
        )
    return tuple(demands)


def _columns(tree: Tree, *names: str) -> list[list[str]]:
    """Of the curated samples."""
    table = table_of(tree, CURATED, names)
    return [table[name].to_pylist() for name in names]


def _classes(tree: Tree, model: str, task: str) -> set[str]:
    path = tree.file(f"{MODELS}/{model}/{CARD}")
    with reading(path):
        return set(json.loads(path.read_bytes())["tasks"].get(task, {}).get("classes", ()))
