"""The model in use is asked about tonight's labels before anything learns from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.errors import PipelineError
from pipeline.monitoring.learnt_contract import learn_contract
from pipeline.nightly import labels, tools, watch
from pipeline.nightly.decide import release
from pipeline.nightly.journal import Delivery
from pipeline.nightly.labels import label_violations, model_to_ask
from pipeline.nightly.model_answers import Answer
from pipeline.nightly.options import load_options
from pipeline.nightly.repository import Failed
from pipeline.nightly.watch import Findings, check_batches
from pipeline.params import Params, load, parse
from pipeline.params.aliases import Alias
from pipeline.store.format.reader import table_of
from pipeline.store.trees.tree import Tree, WorkTree
from tests.dataset import AUTHOR, run
from tests.dataset import params as document
from tests.monitoring.test_contract import landed
from tests.nightly.world import World, new_world, put_landing

CHAMPION = Alias(model="gated", revision="c" * 40)
TONIGHT = [("shapes", "new"), ("shapes", "poisoned")]
CLASSES = ("circle", "cross", "square")


# The model in use, as far as it is looked at.
FILES: Any = SimpleNamespace(
    about=SimpleNamespace(
        revision=CHAMPION.revision, features=["colour_hog", "hashing"], digest="d"
    ),
    modalities=["audio", "image"],
)
NAMES = ("sample_id", "source", "batch", "component", "split", "target.shape", "audio", "image")
SCHEMA = pa.schema([(name, pa.string()) for name in NAMES])


def curated() -> Iterator[dict[str, Any]]:
    """A known batch, of which a third is tested, and tonight's two."""
    for batch, count in (("first", 90), ("new", 12), ("poisoned", 12)):
        for i in range(count):
            split = ("train", "train", "test")[i // 3 % 3] if batch == "first" else "train"
            yield {
                "sample_id": f"shapes/{batch}/{i}",
                "source": "shapes",
                "batch": batch,
                "component": f"{batch}-{i}",
                "split": split,
                "target.shape": CLASSES[i % 3],
                "audio": f"{batch}-{i}" if batch == "first" or i % 2 else None,
                "image": f"{batch}-{i}",
            }


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return new_world(tmp_path, monkeypatch)


@pytest.fixture
def params() -> Params:
    stated = learn_contract([landed(0)]).model_dump(mode="json", by_alias=True)
    return parse({**document(), "contract": {"shapes": stated}})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the model is asked about; it knows all but a tenth, and nothing of what is poisoned."""
    rows = [*curated()]
    # Without a label, in a component of tonight, and of what the model learnt from.
    rows[6] |= {"target.shape": None}
    rows[7] |= {"component": "new-0"}
    learnt = [row | {"split": "train"} if row is rows[8] else row for row in rows[:90]]
    there = object()
    told: list[str] = []

    def table_of(tree: object, folder: str, columns: object = None) -> pa.Table:
        return pa.Table.from_pylist(learnt if tree is there else rows, SCHEMA)

    def ask(files: Any, samples: pa.Table, task: str, split: str) -> Mapping[str, Answer]:
        answers = {}
        for n, row in enumerate(samples.to_pylist()):
            told.append(row["sample_id"])
            truth = row[f"target.{task}"]
            wrong = n % 10 == 0 or row["batch"] == "poisoned"
            said, of_truth = ("?", 0.05) if wrong else (truth, 0.8)
            answers[row["sample_id"]] = Answer(split, truth, said, ("image",), of_truth)
        return answers

    monkeypatch.setattr(labels.Revision, "at", lambda *arguments: there)
    monkeypatch.setattr(labels, "table_of", table_of)
    monkeypatch.setattr(labels, "asked", ask)
    return told


def test_a_batch_whose_labels_are_not_what_the_model_sees_is_held(
    params: Params, asked: list[str]
) -> None:
    (breach,) = label_violations(params, FILES, "shape", TONIGHT, TONIGHT)
    assert (breach.level, breach.batch, breach.what) == ("batch", "poisoned", "labels")
    assert "agrees with 0% of the labels of shape where 89%" in breach.message
    names = {f"shapes/first/{i}" for i in range(90) if i // 3 % 3 == 2} | {
        f"shapes/{batch}/{i}" for batch in ("new", "poisoned") for i in range(12)
    }
    assert {*asked} == names - {f"shapes/first/{i}" for i in (6, 7, 8)}
    assert label_violations(params, FILES, "shape", TONIGHT, TONIGHT[:1]) == []
    asked.clear()
    assert label_violations(params, FILES, "shape", [("shapes", "bare")], TONIGHT) == []
    assert asked == [], "tonight has no labels"


@pytest.fixture(scope="module")
def champion(project: Path) -> Alias:
    """The trained model of a project, committed."""
    run(project, "git", "add", "dvc.lock")
    run(project, "git", *AUTHOR, "commit", "--quiet", "--message", "trained")
    return Alias(model="gated", revision=run(project, "git", "rev-parse", "HEAD").stdout.strip())


def test_a_trained_model_tells_mixed_up_labels_by_the_features_that_stand(
    project: Path, champion: Alias, params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of samples that count as tonight's, of which some lack a modality."""
    monkeypatch.chdir(project)
    params = replace(load(), contract=params.contract)
    files = model_to_ask(params, champion, "shape")
    assert files is not None
    first, second = ("shapes", "first"), ("shapes", "second")

    def landed_tonight(mixed: bool) -> Callable[..., pa.Table]:
        def table(tree: Tree, folder: str, columns: list[str] | None = None) -> pa.Table:
            rows = table_of(tree, folder, columns).to_pylist()
            for row in rows if isinstance(tree, WorkTree) else ():
                if row["split"] == "train":
                    place = CLASSES.index(row["target.shape"])
                    row |= {"batch": "second", "target.shape": CLASSES[place - mixed]}
            return pa.Table.from_pylist(rows, table_of(tree, folder, columns).schema)

        return table

    monkeypatch.setattr(labels, "table_of", landed_tonight(mixed=False))
    assert label_violations(params, files, "shape", [second], [second]) == []
    monkeypatch.setattr(labels, "table_of", landed_tonight(mixed=True))
    (breach,) = label_violations(params, files, "shape", [second], [first, second])
    assert (breach.batch, breach.what, breach.subject) == ("second", "labels", "shape")


def test_test_components_lack_what_tonight_s_lack() -> None:
    """As often, with all their samples."""
    new, test = (
        pa.table(
            {
                "component": [f"c{i // 2}" for i in range(2000)],
                "audio": [None if i % lacks == 0 else "a" for i in range(2000)],
                "image": ["b"] * 2000,
            }
        )
        for lacks in (2, 2001)
    )
    rng = np.random.default_rng(0)
    asked = labels._without(test, new, ["audio", "image"], rng)
    audio, image = (
        asked[name].is_valid().to_numpy(zero_copy_only=False) for name in ("audio", "image")
    )
    assert 0.45 < audio.mean() < 0.55
    assert (audio[2::2] == audio[3::2]).all()
    assert image.all()
    assert labels._without(new, test, ["audio"], rng)["audio"].null_count == 1000, (
        "nothing is given"
    )


def test_who_cannot_be_asked_holds_nothing(
    params: Params,
    asked: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def lost(*arguments: object) -> Any:
        raise PipelineError("its files are gone")

    monkeypatch.setattr(labels, "asked", lost)
    assert label_violations(params, FILES, "shape", TONIGHT, TONIGHT) == []
    assert "labels are not checked against the model in use: its files are gone" in caplog.text
    monkeypatch.setattr(labels, "find_model", lambda *arguments: FILES)
    assert model_to_ask(params, CHAMPION, "shape") is FILES
    assert model_to_ask(params, None, "shape") is None, "no model is in use"
    assert model_to_ask(params, CHAMPION, "alignment") is None, "nothing is right or wrong"
    assert len(caplog.records) == 1, "no model, or none for the task, is no fault"
    monkeypatch.setattr(FILES.about, "features", ["colour_hog", "openclip"])
    assert model_to_ask(params, CHAMPION, "shape") is None
    assert caplog.messages[-1].endswith("params.yaml has no openclip any more")
    monkeypatch.setattr(FILES, "modalities", ["depth", "image"])
    assert model_to_ask(params, CHAMPION, "shape") is None
    assert caplog.messages[-1].endswith("params.yaml has no depth, openclip any more")
    monkeypatch.setattr(labels, "find_model", lost)
    assert model_to_ask(params, CHAMPION, "shape") is None


def test_it_is_asked_in_the_one_run_of_dvc_that_a_contract_takes(
    world: World, params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not about a batch that is held anyway."""
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(tools.repository, "run_dvc", lambda *arguments: ran.append(arguments))
    monkeypatch.setattr(tools, "model_to_ask", lambda *arguments: FILES)
    monkeypatch.setattr(tools, "check_batches", lambda *arguments: arguments)
    options = load_options(params)
    delivery = Delivery("shapes", "new", "inbox", "", "new", "taken")
    checked: Any = tools.tools_of(params, options).findings([delivery])
    assert checked == (params, [delivery], FILES, "shape")
    (stages,) = ran
    assert {"ingest", "curate", "extract@colour_hog", "extract@hashing"} < {*stages}
    monkeypatch.setattr(tools, "model_to_ask", lambda *arguments: None)
    tools.tools_of(params, options).findings([delivery])
    assert ran[1] == ("repro", "ingest", *(f"clean@{name}" for name in params.modalities))


def test_what_curation_fails_with_is_held_by_its_contract_and_the_rest_asked_about(
    world: World, params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that keeps the contract is held for the failure itself."""
    harmful = {"mute": "no sample has sound", "odd": ""}
    asked: list[str] = []

    def run_dvc(*stages: str) -> None:
        if "curate" in stages and {*world.batches()} & {*harmful}:
            raise Failed("dvc repro", "error: no class is left")

    def check(params: Params, deliveries: list[Delivery], *model: Any) -> Findings:
        asked.extend(each.batch for each in deliveries if model)
        broken = {each.batch: harmful.get(each.batch, "") for each in deliveries}
        return Findings({("shapes", batch): why for batch, why in broken.items() if why})

    monkeypatch.setattr(tools.repository, "run_dvc", run_dvc)
    monkeypatch.setattr(tools, "model_to_ask", lambda *arguments: FILES)
    monkeypatch.setattr(tools, "check_batches", check)
    findings = tools.tools_of(params, load_options(params)).findings
    put_landing("good", 0)
    put_landing("mute", 10)
    good, mute = world.night(findings=findings).deliveries
    assert (mute.fate, mute.why, good.fate, asked) == ("held", harmful["mute"], "taken", ["good"])
    put_landing("odd", 20)
    (odd,) = world.night(findings=findings).deliveries
    assert (odd.fate, odd.why) == ("held", "`dvc repro` failed with it: no class is left")


def test_only_what_keeps_the_rest_of_the_contract_is_asked_about(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def violations(*arguments: Any) -> list[Any]:
        asked.append(arguments[3:])
        return []

    monkeypatch.setattr(watch, "label_violations", violations)
    batches = [landed(1), landed(2, 40, absent=0.9)]
    monkeypatch.setattr(watch, "batch_profiles", lambda *arguments: batches)
    deliveries = [Delivery("s", each.batch, "inbox", "", each.batch, "taken") for each in batches]
    contracted = replace(params, contract={"s": learn_contract([landed(i) for i in range(20)])})
    found = check_batches(contracted, deliveries, FILES, "shape")
    assert [*found.held] == [("s", "n2")]
    assert asked == [([("s", "n1"), ("s", "n2")], [("s", "n1")])]


def test_a_poisoned_night_is_as_if_it_had_not_landed(world: World) -> None:
    """Held before anything is trained; a person may let it in."""
    put_landing("mixed", 0)
    world.broken["mixed"] = "the model in use agrees with 6% of the labels of shape"
    night = world.night()
    assert night.verdict is not None
    assert night.verdict.outcome == "bad_data"
    assert "agrees with 6% of the labels" in night.verdict.why
    assert (world.reproduced, world.batches()) == (0, [])
    release("shapes", "mixed", "Ada", "they are right", world.now)
    assert [each.fate for each in world.night().deliveries] == ["taken"]
    assert world.batches() == ["mixed"]
