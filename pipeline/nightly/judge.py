"""The challenger against the model in use, on the answers that both gave to the same samples."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipeline.core.errors import PipelineError
from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.digest import digest_json
from pipeline.core.files.documents import parsed, reading
from pipeline.core.folders import CODE, CURATED, DATA, EVALUATION, MODELS, RAW
from pipeline.execution.run_record import last_made
from pipeline.models.evaluation.options import PRESENCE
from pipeline.models.tasks import task_of
from pipeline.monitoring.gate import Costs, Question, decide
from pipeline.monitoring.ledger import Look
from pipeline.monitoring.options import GateOptions
from pipeline.monitoring.paired_answers import PairedAnswers, class_weights
from pipeline.nightly.journal import Night, Verdict
from pipeline.nightly.options import NightlyOptions
from pipeline.nightly.record import read_records
from pipeline.params import Params
from pipeline.params.aliases import Alias
from pipeline.parts.artifact import read_manifest
from pipeline.store.format.reader import table_of
from pipeline.store.model_card import CARD
from pipeline.store.trees.revision import Revision
from pipeline.store.trees.tree import Tree, WorkTree

LOOKS = Path("nightly", "looks.jsonl")
# All test components have one name, however many there come to be: see `frozen_level`.
TEST = "test"


@dataclass(frozen=True)
class Answer:
    """To one sample: labels as text, and the modalities that the model saw."""

    split: str
    truth: str
    prediction: str
    present: tuple[str, ...]


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
        names = _name(there, champion.model), _name(here, options.model)
    except PipelineError as error:
        raise PipelineError(
            f"aliases.yaml: the model in use, {champion.model} at {champion.revision[:12]}, cannot "
            f"be read: {error}"
        ) from None
    if names[0] == names[1]:
        return Verdict("held", "same", "Held: tonight's data changed nothing of the model in use.")
    task = params.models[options.model].primary
    if not task_of(params.targets[task]).ONE_CLASS:
        why = (
            f"Held: {task} is no choice of one class, which the gate compares; look at the report "
            f"and decide by `pipeline nightly promote {night.run}`."
        )
        return Verdict("held", "by_hand", why)
    before = _answers(there, champion.model, task)
    after = _answers(here, options.model, task)
    question = _question(params, night, task, names, before, after)
    if question is None:
        why = (
            "Held: the challenger and the model in use have no test sample in common, so nothing "
            "can be said of which is better."
        )
        return Verdict("held", "nothing_in_common", why)
    question = replace(
        question,
        recipe=_recipe(params, options),
        demands=_demands(there, champion, options.model, task, params),
        costs=(_past_costs(champion), _costs(options.model)),
    )
    # No fresh components are asked, so that all of the error is the frozen ones'.
    options_of_gate = params.monitoring.gate.model_copy(update={"fresh_share": 0.0})
    return ask(question, read_looks(), options_of_gate, params.seed)


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
        lines = LOOKS.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    try:
        return [_look(line) for line in lines]
    except ValueError:
        raise PipelineError(f"{LOOKS} is damaged: `git log -p {LOOKS}` shows what it was") from None


def _look(line: str) -> Look:
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
    before: Mapping[str, Answer],
    after: Mapping[str, Answer],
) -> Question | None:
    """What is asked, but for demands and costs; None without a common test sample."""
    curated = table_of(
        WorkTree(Path(DATA)), CURATED, ["sample_id", "component", "split", f"target.{task}"]
    ).to_pylist()
    components = {row["sample_id"]: row["component"] for row in curated}
    train = [row for row in curated if row["split"] == "train" and row[f"target.{task}"]]
    labels = sorted(
        {row[f"target.{task}"] for row in train}
        | {label for answer in _all(before, after) for label in (answer.truth, answer.prediction)}
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
        weights=weights,
        validation_gain=float(validation.gains(weights).mean()) if len(validation) else None,
    )


def _all(*answers: Mapping[str, Answer]) -> Iterable[Answer]:
    return (answer for by_sample in answers for answer in by_sample.values())


def _paired(
    split: str,
    before: Mapping[str, Answer],
    after: Mapping[str, Answer],
    components: Mapping[str, str],
    places: Mapping[str, int],
) -> PairedAnswers:
    """The samples of a split that both models answered, neither having learnt from them."""
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


def _answers(tree: Tree, model: str, task: str) -> dict[str, Answer]:
    path = tree.file(f"{EVALUATION}/{model}/predictions.parquet")
    columns = ["sample_id", "split", "task", "truth", "prediction", "present"]
    with reading(path):
        rows = pq.read_table(path, columns=columns).to_pylist()
    return {
        row["sample_id"]: Answer(
            row["split"], row["truth"], row["prediction"], tuple(row["present"])
        )
        for row in rows
        if row["task"] == task and row["truth"] is not None
    }


def _name(tree: Tree, model: str) -> str:
    """What names a model's bytes for good."""
    path = tree.file(f"{MODELS}/{model}/manifest.json")
    with reading(path):
        return f"{model} {json.loads(path.read_bytes())['key'][:16]}"


def _recipe(params: Params, options: NightlyOptions) -> str:
    """Digest of what makes challengers but data."""
    model = params.models[options.model]
    features = {name: params.features[name].options.model_dump() for name in model.features}
    code = Path(DATA, CODE)
    return digest_json(
        [
            model.model_dump(mode="json"),
            features,
            code.read_text() if code.is_file() else "",
        ]
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
    return tuple(demands)


def _classes(tree: Tree, model: str, task: str) -> set[str]:
    path = tree.file(f"{MODELS}/{model}/{CARD}")
    with reading(path):
        return set(json.loads(path.read_bytes())["tasks"].get(task, {}).get("classes", ()))


def _costs(model: str) -> Costs:
    made = last_made(f"train/{model}")
    return Costs(training_seconds=made.get("cpu_seconds"))


def _past_costs(champion: Alias) -> Costs:
    """What the model in use took to train, if the night that trained it is recorded."""
    for record in read_records():
        if record["revision"] == champion.revision:
            for stage in record["stages"] or ():
                if stage["stage"] == f"train/{champion.model}" and stage["computed"]:
                    return Costs(training_seconds=stage["cpu_seconds"])
    return Costs()
