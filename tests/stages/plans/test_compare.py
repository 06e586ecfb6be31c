"""The stage: tables and a page of what was cross-validated, once."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score

from pipeline.core.errors import PipelineError
from pipeline.parts import manifest
from pipeline.stages.plans.compare import plan
from pipeline.stages.work.compare import COLUMNS, compare_models
from tests.models.synthetic import SETS
from tests.reporting.reading import read as parsed
from tests.stages.plans import test_report
from tests.stages.plans.crossvalidated import MODELS, params, store, train
from tests.stages.plans.stored import params as some

OUT = Path("data/comparison")


def table(name: str) -> list[dict[str, str]]:
    with (OUT / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in OUT.iterdir()}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose models are cross-validated and compared."""
    folder = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        store(folder / "data")
        train(params())
        assert plan(params()).run().computed == 1
    return folder


@pytest.fixture
def there(compared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(compared)
    return compared


def test_every_table_is_written(there: Path) -> None:
    assert {*files()} == {"manifest.json", "metrics.json", "index.html",
                          *(f"{name}.csv" for name in COLUMNS)}  # fmt: skip
    kinds = {row["model"]: row["kind"] for row in table("leaderboard")}
    assert kinds == {
        "image": "single",
        "early": "fusion",
        "chosen:fusion": "chosen",
        "chosen:together": "chosen",
        "logistic:picture": "baseline",
        "logistic:words": "baseline",
        "joined:logistic": "baseline",
        "mean:logistic": "baseline",
        "chance:majority": "chance",
        "chance:random": "chance",
    }
    assert [row["model"] for row in table("choices")] == ["early", "early"]
    assert {row["shown"] for row in table("missing")} == {
        "audio", "image", "text", "audio+image", "audio+text", "image+text",
    }  # fmt: skip
    assert [row["other"] for row in table("missing") if row["shown"] == "image"] == ["image"] * 2
    metrics = json.loads((OUT / "metrics.json").read_text())
    assert (metrics["n"], metrics["components"], metrics["classes"]) == (144, 48, 8)


def test_of_one_fusion_the_choice_is_that_fusion(there: Path) -> None:
    rows = {row["model"]: row for row in table("leaderboard")}
    for name in ("macro_f1", "low", "high", "together", "ece", "inner_macro_f1"):
        assert rows["chosen:fusion"][name] == rows["early"][name]


def test_a_fusion_is_chosen_by_what_its_seeds_answered_within_the_folds(there: Path) -> None:
    curated = manifest.read(Path("data/curated")).to_pylist()
    truth = {row["sample_id"]: row["target.category"] for row in curated}
    rows = manifest.read(Path("data/crossvalidation/early")).to_pylist()
    for choice in table("choices"):
        own, said = zip(
            *(
                (truth[sample], row["classes"][one])
                for row in rows
                if row["fold"] == int(choice["fold"])
                for sample, one in zip(
                    row["inner_sample_id"], row["inner_predictions"], strict=True
                )
            ),
            strict=True,
        )
        expected = f1_score(own, said, average="macro", labels=sorted({*own}), zero_division=0)
        assert float(choice["inner_macro_f1"]) == pytest.approx(expected)


def test_a_model_may_have_its_classes_in_another_order(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = compare_all()
    read = manifest.read

    def turned(folder: Path) -> pa.Table:
        if folder.name != "early":
            return read(folder)
        rows = read(folder).to_pylist()
        for row in rows:
            last = len(row["classes"]) - 1
            row["classes"] = row["classes"][::-1]
            own = np.reshape(row["probabilities"], (-1, last + 1))
            row["probabilities"] = own[:, ::-1].ravel().tolist()
            for column in ("predictions", "inner_predictions"):
                row[column] = [last - one for one in row[column]]
        return pa.Table.from_pylist(rows)

    monkeypatch.setattr(manifest, "read", turned)
    assert compare_all() == before


def test_other_classes_are_an_error(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = manifest.read

    def renamed(folder: Path) -> pa.Table:
        rows = read(folder).to_pylist()
        for row in rows:
            row["classes"] = ["other", *row["classes"][1:]] if "classes" in row else None
        return pa.Table.from_pylist(rows)

    monkeypatch.setattr(manifest, "read", renamed)
    with pytest.raises(PipelineError, match=r"comparison\.models\.image tells the classes other"):
        compare_all()


def test_trainings_that_diverged_are_counted(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = manifest.read

    def broken(folder: Path) -> pa.Table:
        rows = read(folder).to_pylist()
        for i, row in enumerate(rows):
            row["diverged"] = folder.name == "early" and i < 3
        return pa.Table.from_pylist(rows)

    monkeypatch.setattr(manifest, "read", broken)
    board = {row["model"]: row["diverged"] for row in compare_all()["leaderboard"]}
    picked = {"chosen:fusion": 3, "chosen:together": 3}
    assert board == {**dict.fromkeys(board, 0), "early": 3, **picked}


def compare_all() -> Any:
    given = params()
    return compare_models(given.comparison, SETS, given.targets, given.seed, Path("data")).tables


def test_the_page_says_what_the_tables_say(there: Path) -> None:
    page = (OUT / "index.html").read_text(encoding="utf-8")
    root = parsed(page)
    shown = [section.attributes["id"] for section in root.all("section")]
    assert [one for one in shown if one != "labels"] == [
        "leaderboard", "differences", "missing", "choices", "classes", "probe", "words",
    ]  # fmt: skip
    (board,) = [one for one in root.all("ol") if one.attributes["class"] == "board"]
    names = [one.all("strong")[0].text for one in board.all("li") if one.all("strong")]
    assert names == [row["model"] for row in table("leaderboard")]
    for row in table("leaderboard"):
        assert f"{100 * float(row['macro_f1']):.1f}" in page
    assert str(there) not in page
    assert not any(f'="{scheme}:' in page for scheme in ("http", "https"))
    assert " style=" not in page


def test_equal_answers_compare_nothing_and_give_equal_bytes(there: Path) -> None:
    before = files()
    assert plan(params()).run().computed == 0
    (OUT / "index.html").unlink()
    assert plan(params()).run().computed == 1
    assert files() == before


@pytest.mark.parametrize("changed", [{"resamples": 501}, {"confidence": 0.9}, {"bins": 10}])
def test_other_options_make_another_key(there: Path, changed: dict[str, Any]) -> None:
    assert plan(params(**changed)).key != plan(params()).key


def test_other_answers_make_another_key(there: Path) -> None:
    key = plan(params()).key
    manifest = Path("data/crossvalidation/image/_manifest.json")
    kept = manifest.read_text()
    entries = json.loads(kept)
    entries["parts"][0]["md5"] = "0" * 32
    manifest.write_text(json.dumps(entries))
    try:
        assert plan(params()).key != key
    finally:
        manifest.write_text(kept)


def test_a_model_that_is_not_trained_yet_is_an_error(there: Path) -> None:
    given = params(models={**MODELS, "late": MODELS["early"]})
    with pytest.raises(PipelineError, match="not cross-validated yet: late"):
        plan(given)


def test_answers_of_fewer_seeds_are_an_error(there: Path) -> None:
    with pytest.raises(PipelineError, match="data/crossvalidation/image is of other samples"):
        plan(params(seeds=3)).make(there / "scratch")


def test_answers_of_more_seeds_than_asked_are_left_out(there: Path) -> None:
    scratch = there / "fewer"
    scratch.mkdir()
    plan(params(seeds=1)).make(scratch)
    with (scratch / "leaderboard.csv").open(newline="") as file:
        assert {row["deviation"] for row in csv.DictReader(file)} == {"0.0"}


def test_without_a_comparison_there_is_nothing_to_compare(inside: Path) -> None:
    with pytest.raises(PipelineError, match="no section `comparison`"):
        plan(some({}, comparison=None))


def test_models_are_not_compared_by_a_number() -> None:
    model = {"features": ["pixels"], "tasks": {"weight": {}}, "primary": "weight"}
    comparison = {"models": {"one": model}, "baseline": {"features": {"picture": "pixels"}}}
    with pytest.raises(PipelineError, match="'weight' is of kind regression"):
        test_report.params(
            targets={"weight": {"kind": "regression"}}, models={}, comparison=comparison
        )
