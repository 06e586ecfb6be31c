from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.execution.options import ExecutionOptions
from pipeline.execution.run_record import summary_of
from pipeline.models.comparison.options import ComparisonOptions
from pipeline.parts import artifact
from pipeline.stages.plans import crossvalidate
from pipeline.stages.plans.train import plan
from tests.encoders import tiny_models
from tests.models.synthetic import joined, options
from tests.models.training.test_snapshot import die_in
from tests.stages.plans.stored import KINDS, params, store_curated, store_features, store_world

ROOT = Path("data")
OUT = ROOT / "models" / "m"
CHOSEN = options(epochs=2)


@pytest.fixture
def world(inside):
    return store_world(ROOT)


def files(out: Path = OUT) -> dict[str, str]:
    return {p.relative_to(out).as_posix(): digest_file(p) for p in out.rglob("*") if p.is_file()}


def test_a_model_has_its_files(world):
    summary = plan(params({"m": CHOSEN}), "m").run()
    assert (summary.computed, summary.rejected) == (1, 0)
    assert summary.rows == (world.split != "test").sum()
    assert {"manifest.json", "model.json", "model.safetensors"} <= set(files())
    assert "curves/plots/metrics/validation/category/macro_f1.tsv" in files()
    card = json.loads((OUT / "model.json").read_text())
    assert card["features"]["words"] == {"modality": "text", "shape": [5]}
    assert card["tasks"]["language"]["classes"] == ["de", "el", "fr"]
    assert card["primary_task"] == "category"
    assert card["parameters"] > 0
    assert set(card["inputs"]) == {
        "curated",
        "features/pixels",
        "features/spectrum",
        "features/words",
    }


def test_the_code_of_its_towers_and_their_readers_is_in_its_key(world):
    """What is loaded by name is not found by following imports."""
    plain = plan(params({"m": CHOSEN}), "m").fingerprint.code
    assert "pipeline.models.towers.mlp" in plain
    assert "pipeline.models.towers.gru" not in plain
    towers = {"words": {"kind": "embedding", "reader": {"kind": "lstm"}}}
    code = plan(params({"m": options(towers=towers)}), "m").fingerprint.code
    towers = {"pipeline.models.towers.embedding", "pipeline.models.towers.lstm"}
    assert {*towers, "pipeline.models.towers._recurrent"} <= set(code)
    early = plan(params({"m": options(fusion="early")}), "m").fingerprint.code
    assert "pipeline.models.fusion.early" in early


def test_the_network_that_a_tower_begins_as_is_in_its_key_by_its_files_alone(world, tmp_path):
    def planned(folder):
        towers = {"words": {"kind": "bert", "model": str(folder), "width": 8}}
        model = options(features=["pixels", "words"], towers=towers)
        comparison = ComparisonOptions.model_validate(
            {"models": {"m": model}, "baseline": {"features": {"words": "words"}}}
        )
        given = params({"m": model}, comparison=comparison)
        return [plan(given, "m").fingerprint, crossvalidate.plan(given, "m").work.fingerprint]

    first = planned(tiny_models.folder("bert"))
    assert set(first[0].weights) == {"words/config.json", "words/model.safetensors"}
    assert first[0].weights == first[1].weights
    assert planned(tiny_models.altered(tmp_path / "moved")) == first
    for before, after in zip(first, planned(tiny_models.altered(tmp_path / "x", x=1)), strict=True):
        assert before.digest != after.digest


def test_curves_have_a_line_an_epoch(world):
    plan(params({"m": CHOSEN}), "m").run()
    lines = (OUT / "curves/plots/metrics/train/category/loss.tsv").read_text().splitlines()
    assert lines[0] == "step\tloss"
    assert [line.split("\t")[0] for line in lines[1:]] == ["0", "1"]


def test_nothing_is_written_elsewhere(world, monkeypatch):
    """A git repository without commits will do, and stays as it is."""
    subprocess.run(["git", "init", "-q", "."], check=True)
    plan(params({"m": CHOSEN}), "m").run()
    assert {path.name for path in Path().iterdir()} == {".git", ".pipeline", "data"}
    assert {path.name for path in (ROOT).iterdir()} == {"curated", "features", "models"}


def test_the_same_again_computes_nothing_and_anew_gives_the_same_bytes(world):
    plan(params({"m": CHOSEN}), "m").run()
    before = files()
    again = plan(params({"m": CHOSEN}), "m").run()
    assert (again.computed, again.reused) == (0, 1)
    (OUT / "model.safetensors").unlink()
    assert plan(params({"m": CHOSEN}), "m").run().computed == 1
    assert files() == before


def test_only_what_it_uses_counts(world):
    chosen = {"m": options(features=["pixels", "words"], epochs=1)}
    plan(params(chosen), "m").run()
    store_features(ROOT, "spectrum", [joined(noise=0.5)])
    assert plan(params(chosen), "m").run().computed == 0
    assert plan(params(chosen, targets={**KINDS, "mood": "regression"}), "m").run().computed == 0
    store_features(ROOT, "words", [joined(noise=0.5)])
    assert plan(params(chosen), "m").run().computed == 1
    assert plan(params(chosen, seed=8), "m").run().computed == 1
    changed = {"m": options(features=["pixels", "words"], epochs=2)}
    assert plan(params(changed, seed=8), "m").run().computed == 1


def test_a_fusions_own_code_counts(world):
    chosen = options(features=["pixels", "words"], epochs=1, fusion="gated")
    plan(params({"m": chosen}), "m").run()
    code = artifact.read_manifest(OUT)["function"]["code"]
    plan(params({"m": options(features=["pixels", "words"], epochs=1, fusion="late")}), "m").run()
    assert artifact.read_manifest(OUT)["function"]["code"] != code


def test_views_reach_training(inside):
    store_world(ROOT, views=1)
    plan(params({"m": options(epochs=2), "n": options(epochs=2, views=1)}), "m").run()
    plan(params({"m": options(epochs=2), "n": options(epochs=2, views=1)}), "n").run()
    other = files(ROOT / "models" / "n")
    assert files()["model.safetensors"] != other["model.safetensors"]


def test_samples_that_a_model_cannot_see_are_counted(world):
    chosen = {"m": options(features=["pixels"], fusion="none", epochs=1)}
    summary = plan(params(chosen), "m").run()
    lacking = (~world.present["pixels"] & (world.split != "test")).sum()
    assert summary.absent == lacking > 0
    assert summary.rows + summary.absent == (world.split != "test").sum()
    assert (summary.rejected, summary.reasons) == (0, {})


def test_a_target_is_learned_as_its_kind_or_as_the_task_says(world):
    targets = {**KINDS, "category": "ordinal"}
    code = {}
    for name, category in (("plain", {}), ("told", {"kind": "multiclass"})):
        tasks = {"category": category, "language": {"weight": 0.5}}
        plan(params({name: options(epochs=1, tasks=tasks)}, targets=targets), name).run()
        card = json.loads((ROOT / "models" / name / "model.json").read_text())
        code[card["tasks"]["category"]["kind"]] = artifact.read_manifest(ROOT / "models" / name)
        assert card["tasks"]["language"]["kind"] == "multiclass"
        assert card["tasks"]["category"]["temperature"] > 0
    assert set(code) == {"ordinal", "multiclass"}
    assert "pipeline.models.tasks.ordinal" in code["ordinal"]["function"]["code"]
    assert "pipeline.models.tasks.ordinal" not in code["multiclass"]["function"]["code"]


def test_a_target_that_no_sample_has_is_said(inside):
    world = joined()
    world.targets["category"][:] = None
    store_curated(ROOT, world)
    for name in ("pixels", "spectrum", "words"):
        store_features(ROOT, name, [world])
    with pytest.raises(PipelineError, match="no sample has the target 'category'"):
        plan(params({"m": CHOSEN}), "m").run()


KILLED = """
import sys
from pathlib import Path
from pipeline.models.training import snapshot
from pipeline.stages.plans.train import plan
from tests.models.training.test_snapshot import die_in
from tests.stages.plans.stored import params
from tests.stages.plans.test_train import LONG
snapshot.Snapshots.__init__.__defaults__ = (0.0, True)
die_in(2)
plan(params({"m": LONG}), "m").run()
"""
LONG = options(epochs=4)
SNAPSHOT = Path(".pipeline", "snapshots", "data-models-m.pt")


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A project whose training was killed in its third epoch."""
    folder = tmp_path_factory.mktemp("killed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        store_world(ROOT)
        died = subprocess.run([sys.executable, "-c", KILLED], check=False)
        assert died.returncode == -signal.SIGKILL
        assert SNAPSHOT.is_file()
        assert not OUT.exists()
    return folder


def test_a_killed_stage_goes_on_and_ends_the_same(world, killed, capsys):
    plan(params({"m": LONG}), "m").run()
    unbroken = files()
    shutil.rmtree(OUT)
    shutil.copytree(killed / SNAPSHOT.parent, SNAPSHOT.parent, dirs_exist_ok=True)
    summary = plan(params({"m": LONG}), "m").run()
    assert summary.training["resumed"] == 2
    assert files() == unbroken
    assert not SNAPSHOT.exists()
    assert capsys.readouterr().err == ""


def test_a_snapshot_of_other_options_is_said_and_not_used(world, killed, capsys):
    plan(params({"m": CHOSEN}), "m").run()
    unbroken = files()
    shutil.rmtree(OUT)
    shutil.copytree(killed / SNAPSHOT.parent, SNAPSHOT.parent, dirs_exist_ok=True)
    assert plan(params({"m": CHOSEN}), "m").run().training["resumed"] == 0
    assert "data-models-m.pt is of another configuration" in capsys.readouterr().err
    assert files() == unbroken
    assert not SNAPSHOT.exists()


def test_how_training_went_stands_in_the_record_alone(world):
    summary = plan(params({"m": CHOSEN}), "m").run()
    told = summary_of(summary)["training"]
    assert set(told) == {"step_seconds", "data_wait", "examples_per_second", "resumed"}
    json.dumps(told)
    assert not {"training", "spent", "data_wait"} & set(
        json.loads((OUT / "model.json").read_text())
    )


def test_divergence_is_said_by_the_model_and_on_the_console(world, monkeypatch, capsys):
    from pipeline.models.training.validation import Validation

    judge, calls = Validation.__call__, []

    def call(self, network):
        calls.append(1)
        return judge(self, network) | ({"validation/score": float("nan")} if calls[1:] else {})

    monkeypatch.setattr(Validation, "__call__", call)
    plan(params({"m": LONG}), "m").run()
    assert json.loads((OUT / "model.json").read_text())["diverged"] == {"epoch": 1}
    assert "train/m: training diverged in epoch 1" in capsys.readouterr().err


STILL = {
    "tower": {"hidden": 16, "width": 8, "dropout": 0.0},
    "fusion_options": {"dropout": 0.0},
    "epochs": 4,
}
BY_TWO = {"m": options(**STILL, workers=2, accumulate=2)}


@pytest.fixture
def two(monkeypatch):
    two_cpus(monkeypatch)


def two_cpus(patch):
    """Whatever there is."""
    patch.setattr("pipeline.execution.process_group.os.sched_getaffinity", lambda pid: {0, 1})


@pytest.fixture(scope="module")
def made_by_two(tmp_path_factory):
    """What two workers make undisturbed, and the summary."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        two_cpus(patch)
        store_world(ROOT)
        summary = plan(params(BY_TWO, execution=ExecutionOptions()), "m").run()
    return folder / OUT, summary


@pytest.mark.slow
def test_two_workers_come_to_what_one_does(world, made_by_two):
    from pipeline.models.saving import load_model

    plan(params({"m": options(**STILL)}), "m").run()
    single = json.loads((OUT / "model.json").read_text())
    weights = load_model(OUT).network.state_dict()
    made, summary = made_by_two
    assert summary.training["examples_per_second"] > 0
    both = json.loads((made / "model.json").read_text())
    assert both["best"] == pytest.approx(single["best"], rel=1e-3, abs=1e-3)
    for name, tensor in load_model(made).network.state_dict().items():
        assert tensor.numpy() == pytest.approx(weights[name].numpy(), rel=1e-2, abs=1e-3)


@pytest.mark.slow
def test_a_killed_worker_costs_its_epoch(world, made_by_two, two, monkeypatch):
    monkeypatch.setattr("pipeline.stages.work.train._train_as_one_of", mortal)
    summary = plan(params(BY_TWO, execution=ExecutionOptions()), "m").run()
    assert Path("died").read_text() == "1"
    # The first worker may have been through the epoch by then.
    assert summary.training["resumed"] in (2, 3)
    assert files() == files(made_by_two[0])


def mortal(job, rank, size, address):
    """The second worker kills itself in its third epoch, once."""
    from pipeline.models.training import snapshot
    from pipeline.stages.work import train

    died = job.root.parent / "died"
    snapshot.Snapshots.__init__.__defaults__ = (0.0, True)
    if rank == 1 and not died.exists():
        died.write_text("1")
        die_in(2)
    return train._train_as_one_of(job, rank, size, address)
