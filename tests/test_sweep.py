"""A sweep as docs/models.md shows it: queued, run, promoted, and nothing trained twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.reporting.times import Durations, model_durations
from tests.dataset import AUTHOR, run
from tests.test_docs import SWEEP

# Knows next to nothing after its epochs, so that any other is better.
HOPELESS = 1e-7


@pytest.fixture(scope="module")
def swept(project: Path) -> tuple[Path, dict[str, str]]:
    """A committed project and what each command of the sweep printed."""
    folder = project
    run(folder, "dvc", "add", "data/raw/shapes/first")
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["models"]["gated"]["learning_rate"] = HOPELESS
    (folder / "params.yaml").write_text("# A comment.\n" + yaml.safe_dump(params))
    run(folder, "dvc", "repro")
    run(folder, "git", "add", "--all")
    run(folder, "git", *AUTHOR, "commit", "--quiet", "--message", "run")
    return folder, {line: run(folder, "sh", "-c", line).stdout for line in (*SWEEP, "dvc repro")}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_experiment_computes_what_changed_and_no_more(
    swept: tuple[Path, dict[str, str]],
) -> None:
    queued = swept[1][SWEEP[1]]
    assert queued.count("train/gated: ") == queued.count("evaluate/gated: ") == 2
    # Of each experiment params, train and evaluate.
    assert queued.count("Running stage") == queued.count("parts: 1 computed") == 6


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_best_is_promoted_and_comes_back_from_the_cache(
    swept: tuple[Path, dict[str, str]],
) -> None:
    folder, said = swept
    *_, dry, promote = SWEEP
    assert "-    learning_rate: 1.0e-07" in said[dry]
    text = (folder / "params.yaml").read_text()
    models = yaml.safe_load(text)["models"]
    assert models["gated"]["learning_rate"] in (0.001, 0.004)
    assert "learning_rate" not in models["image"]
    assert text.startswith("# A comment.\n")
    changed = run(folder, "git", "diff", "--numstat", "params.yaml").stdout.split()
    assert changed[:2] == ["1", "1"]
    assert "brings its model back from the cache" in said[promote]
    for stage in ("train", "evaluate"):
        (line,) = (one for one in said["dvc repro"].splitlines() if f"{stage}/gated: " in one)
        assert "0 computed, 1 restored" in line
    assert "train/image" not in said["dvc repro"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_report_has_the_times_of_what_was_trained_here(
    swept: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(swept[0])
    took = {one.model: one for one in model_durations(Path("data"))}
    image = took["image"]
    assert min(image.training or 0, image.evaluation or 0, image.examples_per_second or 0) > 0
    assert image.wait is not None
    # What stands was trained by an experiment; the training before was of other options.
    assert took["gated"] == Durations("gated")
