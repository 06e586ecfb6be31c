"""The best of the experiments is the best on validation, and is written only where it may be."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_bytes
from pipeline.params import trials
from pipeline.params.promotion import other_changes, promoted, remember
from pipeline.parts.dvc_restore import Cache
from tests.dataset import params

PARAMS = params()


def revision(
    name: str, validation: float | None, test: float = 0.0, **options: object
) -> dict[str, Any]:
    """A revision as `dvc exp show --json` tells of it."""
    own = copy.deepcopy(PARAMS)
    own["models"]["gated"].update(options)  # type: ignore[index]
    splits = {
        split: {"shape": {"macro_f1": score, "ece": 1 - score}}
        for split, score in (("validation", validation), ("test", test))
        if score is not None
    }
    metrics = {"data": splits}
    data = {
        "params": {"params.yaml": {"data": own}},
        "metrics": {"data/evaluation/gated/metrics.json": metrics},
        "outs": {"data/models/gated/manifest.json": {"hash": f"md5 of {name}"}},
    }
    return {"rev": name * 8, "name": name, "data": data}


def shown(*experiments: tuple[str, dict[str, Any]], now: dict[str, Any] | None = None) -> list[Any]:
    listed = [{"executor": {"state": state}, "revs": [one]} for state, one in experiments]
    return [now or revision("workspace", 0.5), {**revision("main", 0.5), "experiments": listed}]


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["promote", *arguments])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def tried(inside: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A project with three experiments; the one that is best on test is not so on validation."""
    (inside / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    found = shown(
        ("success", revision("low", 0.6, test=0.9, learning_rate=0.1)),
        ("success", revision("high", 0.7, test=0.1, learning_rate=0.2)),
        ("failed", revision("broken", 0.9, learning_rate=-1)),
        ("queued", revision("waiting", None, learning_rate=0.3)),
    )
    monkeypatch.setattr(trials, "show_experiments", lambda: found)
    return found


def test_validation_chooses_and_test_has_no_say(tried: list[Any]) -> None:
    table = run("gated")
    rows = [line.split("\t") for line in table.splitlines()]
    assert rows[0] == ["best", "experiment", "validation", "options", "state"]
    assert rows[1] == ["*", "high", "0.7", "learning_rate: 0.2", "success"]
    assert [row[1] for row in rows[2:6]] == ["low", "standing", "broken", "waiting"]
    now = yaml.safe_load(Path("params.yaml").read_text())
    gated = {**PARAMS["models"]["gated"], "learning_rate": 0.2}  # type: ignore[index]
    assert now == {**PARAMS, "models": {**PARAMS["models"], "gated": gated}}  # type: ignore[dict-item]
    assert "`dvc repro` trains it" in table


def test_a_dry_run_shows_the_line_and_writes_nothing(tried: list[Any]) -> None:
    before = Path("params.yaml").read_text()
    assert "\n+    learning_rate: 0.2\n" in run("gated", "--dry-run")
    assert Path("params.yaml").read_text() == before


def test_of_an_error_the_least_is_best(tried: list[Any]) -> None:
    rows = [line.split("\t") for line in run("gated", "--metric", "ece", "--dry-run").splitlines()]
    assert [row[1] for row in rows[1:4]] == ["high", "low", "standing"]


def test_so_it_is_where_an_error_is_what_the_report_ranks_by(tried: list[Any]) -> None:
    for experiment in tried[1]["experiments"]:
        for revision in experiment["revs"]:
            splits = revision["data"]["metrics"]["data/evaluation/gated/metrics.json"]["data"]
            for name, tasks in splits.items():
                splits[name] = {"size": {"mae": tasks["shape"]["macro_f1"]}}
    rows = [line.split("\t") for line in run("gated", "--dry-run").splitlines()]
    assert [row[1] for row in rows[1:4]] == ["standing", "low", "high"]


def test_mistakes_are_said_in_words(tried: list[Any]) -> None:
    assert "unknown model 'nobody'; there are: gated, image" in run("nobody", code=1)
    assert "unknown metric 'f9'; there are: ece, macro_f1" in run("gated", "--metric", "f9", code=1)
    assert "none of the 4 experiments has other options for image" in run("image", code=1)


def test_what_stands_is_left_unless_something_is_better(tried: list[Any]) -> None:
    tried[1]["experiments"] = tried[1]["experiments"][:1]
    tried[1]["experiments"][0]["revs"] = [revision("equal", 0.5, learning_rate=0.1)]
    before = Path("params.yaml").read_text()
    assert "no experiment is better than what stands" in run("gated")
    assert Path("params.yaml").read_text() == before


def test_without_a_finished_experiment_there_is_no_best() -> None:
    with pytest.raises(PipelineError, match="no commit yet"):
        trials.read([revision("workspace", 0.5)], "gated")
    with pytest.raises(PipelineError, match="dvc exp run --queue"):
        trials.read(shown(), "gated")
    failed = trials.read(shown(("failed", revision("x", 0.9, clip=1.0))), "gated")
    with pytest.raises(PipelineError, match=r"x failed\. `dvc queue logs"):
        trials.ranked(failed)


def test_a_model_that_the_commit_lacks_is_committed_first(tried: list[Any]) -> None:
    del tried[1]["data"]["params"]["params.yaml"]["data"]["models"]["gated"]
    assert "has no model 'gated'" in run("gated", code=1)
    assert "commit params.yaml first" in run("gated", code=1)


def test_an_experiment_that_lacks_the_model_is_no_trial(tried: list[Any]) -> None:
    low = tried[1]["experiments"][0]["revs"][0]
    del low["data"]["params"]["params.yaml"]["data"]["models"]["gated"]
    rows = [line.split("\t")[1] for line in run("gated", "--dry-run").splitlines()[1:5]]
    assert rows[:4] == ["high", "standing", "broken", "waiting"]


def test_a_value_changed_since_is_not_overwritten() -> None:
    now = revision("workspace", 0.5, learning_rate=0.7)
    found = trials.read(shown(("success", revision("x", 0.9, learning_rate=0.1)), now=now), "gated")
    text = yaml.safe_dump(now["data"]["params"]["params.yaml"]["data"])
    with pytest.raises(PipelineError, match=r"was not there when x began, is 0\.7 in params"):
        promoted(text, found, trials.ranked(found)[0], "gated")


def test_another_key_changed_since_stays() -> None:
    now = revision("workspace", 0.5, weight_decay=0.7)
    found = trials.read(shown(("success", revision("x", 0.9, learning_rate=0.1)), now=now), "gated")
    text = yaml.safe_dump(now["data"]["params"]["params.yaml"]["data"])
    gated = yaml.safe_load(promoted(text, found, trials.ranked(found)[0], "gated"))["models"][
        "gated"
    ]
    assert (gated["weight_decay"], gated["learning_rate"]) == (0.7, 0.1)


def test_other_sections_that_differ_are_named() -> None:
    one = revision("x", 0.9, learning_rate=0.1)
    one["data"]["params"]["params.yaml"]["data"]["seed"] = 1
    one["data"]["params"]["params.yaml"]["data"]["execution"] = {"workers": 2}
    found = trials.read(shown(("success", one)), "gated")
    assert other_changes(found, trials.ranked(found)[0]) == ["seed"]


def test_what_an_experiment_made_is_known_again(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = json.dumps({"key": "the key"}).encode()
    md5 = digest_bytes(manifest)
    monkeypatch.setattr(Cache, "_folder", inside)
    monkeypatch.setattr("pipeline.parts.dvc_restore.digest_file", lambda path, name: md5)
    place = inside / "files" / "md5" / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True)
    place.write_bytes(manifest)
    made = {"data/models/gated/manifest.json": md5, "data/evaluation/gated/manifest.json": "gone"}
    assert remember(trials.Trial("x", "success", PARAMS, 0.9, "macro_f1", made)) == 1
    assert Cache().md5s(["the key"]) == {"the key": md5}
