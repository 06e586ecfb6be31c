"""A plan of nights with faults, and a project that lives through them."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.nightly.simulation import CALM, PLANTED, Fault, cut, live, plan_faults, put_landing
from pipeline.params import load
from pipeline.raw.folders import LocalFolder
from tests.dataset import put_batch
from tests.nightly.world import World, new_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return new_world(tmp_path, monkeypatch)


def fault(name: str) -> Fault:
    return next(each for each in PLANTED if each.name == name)


def test_a_plan_has_every_fault_once_and_begins_calmly() -> None:
    planted = plan_faults(30, seed=0)
    assert len(planted) == 30
    assert [each.name for each in planted[:CALM]] == [""] * CALM
    named = [each.name for each in planted if each.name]
    assert sorted(named) == sorted(each.name for each in PLANTED)
    assert plan_faults(30, seed=0) == planted
    assert plan_faults(30, seed=1) != planted


def test_nights_share_all_samples_and_no_two_have_one(world: World) -> None:
    put_batch(Path("data/raw/shapes/all"), 0, 20)
    faults = [Fault("", ()), fault("nothing"), Fault("", ()), fault("corrupt")]
    folder, nights = cut(load(), "shapes", faults, seed=0)
    assert folder == Path("data/raw/shapes/all")
    ids = [piece.row["sample_id"] for night in nights for piece in night if piece.row]
    assert (len(ids), len(set(ids))) == (60, 60)
    assert [len(night) for night in nights] == [24, 0, 18, 18]
    files = {path for night in nights for piece in night for path in piece.files}
    assert files == set(LocalFolder(folder).listing.files) - {"metadata.csv"}


def rows(name: str) -> list[dict[str, str]]:
    with Path("inbox", name, "metadata.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_landing_is_spoilt_as_the_fault_says(world: World) -> None:
    put_batch(Path("data/raw/shapes/all"), 0, 20)
    folder, (first, pieces) = cut(load(), "shapes", [Fault("", ())] * 2, seed=0)
    inbox = Path("inbox")

    def land(name: str) -> list[dict[str, str]]:
        planted = Fault("", ()) if name == "calm" else fault(name)
        put_landing(folder, pieces, planted, inbox, name, "shape", seed=0)
        assert (inbox / name / "_SUCCESS").is_file()
        return rows(name)

    calm = land("calm")
    assert calm == [piece.row for piece in pieces]
    missing = land("missing")
    assert {row["image_file_name"] for row in missing} == {""}
    assert [row["audio_file_name"] for row in missing] == [row["audio_file_name"] for row in calm]
    assert not [*(inbox / "missing").glob("*.png")]
    poisoned = land("poisoned")
    assert sorted(row["shape"] for row in poisoned) == sorted(row["shape"] for row in calm)
    assert [row["shape"] for row in poisoned] != [row["shape"] for row in calm]
    assert "shape_new" in land("schema")[0]
    land("corrupt")
    file = next(path for path in sorted((inbox / "calm").glob("*.png")))
    whole, cut_off = file.stat().st_size, (inbox / "corrupt" / file.name).stat().st_size
    assert cut_off == whole // 3
    assert first


def test_a_project_lives_through_what_machines_do(world: World) -> None:
    """Nothing, a duplicate, a full disk, a remote that is down, a crash before every state."""
    machine = [each for each in PLANTED if each.fails or each.name in ("nothing", "duplicate")]
    faults = [Fault("", ("promoted", "held")), *machine]

    def land(place: int, planted: Fault) -> int:
        if planted.name == "nothing":
            return 0
        if planted.name == "duplicate":
            shutil.copytree("inbox/night-0", f"inbox/night-{place}")
            return 2
        Path("inbox").mkdir(exist_ok=True)
        folder = Path("inbox", f"night-{place}")
        put_batch(folder, 10 * place, 1)
        (folder / "_SUCCESS").touch()
        return 7

    lived = [
        *live(
            world.options,
            load,
            lambda params: replace(world.tools()),
            faults,
            land,
            learn=lambda: None,
        )
    ]
    assert [(night.planted, night.right) for night in lived] == [
        (each.name, True) for each in faults
    ]
    assert [night.starts for night in lived] == [1 + each.fails for each in faults]
    assert len(world.batches()) == len(faults) - 2
