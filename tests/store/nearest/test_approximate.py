from __future__ import annotations

import sys
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import PipelineError
from pipeline.store import open_store, sidecar
from pipeline.store.feature_set import FeatureSet
from pipeline.store.nearest import approximate
from pipeline.store.sidecar import FOLDER
from tests.store.nearest.test_neighbours import pairs, put_vectors


def world(seed: int = 0) -> np.ndarray:
    """3,000 directions in a hundred clusters, and two rows that have none."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((100, 24))
    rows = centres[rng.integers(0, 100, 3000)] + 0.4 * rng.standard_normal((3000, 24))
    rows[17], rows[18] = 0, np.nan
    return rows.astype(np.float32)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("faiss")
    folder = tmp_path_factory.mktemp("made")
    put_vectors(folder, world())
    return folder


@pytest.fixture
def features(made: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureSet:
    """The set, in a process that has opened no index of it."""
    monkeypatch.setattr(approximate, "_OPENED", {})
    for path in (made / FOLDER).glob("*.near"):
        path.unlink()
    return open_store(made)["look"]


def never(*arguments: object) -> None:
    raise AssertionError("it is there already")


def files(features: FeatureSet) -> list[Path]:
    return list((features.tree.project / FOLDER).glob("*.near"))


def test_it_finds_most_of_the_nearest_with_their_true_scores(features: FeatureSet) -> None:
    shares = []
    for query in world()[100:140]:
        exact, result = pairs(features.nearest(query, 10)), features.nearest(query, 10, exact=False)
        shares.append(len(set(exact) & set(pairs(result))) / 10)
        assert len(result.digests) == 10
    assert np.mean(shares) >= 0.95


def test_an_id_is_left_out_and_every_row_can_be_had(features: FeatureSet) -> None:
    own = features.to_numpy(["digest"])["digest"][5]
    assert own not in features.nearest(own, 10, exact=False).digests
    every = features.nearest(own, 3000, exact=False)
    assert pairs(every) == pairs(features.nearest(own, 3000))
    assert len(every.digests) == 2997


def test_where_is_met_even_where_few_rows_meet_it(features: FeatureSet) -> None:
    query = world()[3]
    half = "digest < '8'"
    result = pairs(features.nearest(query, 10, half, exact=False))
    assert len(set(result) & set(pairs(features.nearest(query, 10, half)))) >= 9
    few = "digest < '02'"
    assert pairs(features.nearest(query, 10, few, exact=False)) == pairs(
        features.nearest(query, 10, few)
    )


def test_it_is_built_once(features: FeatureSet, monkeypatch: pytest.MonkeyPatch) -> None:
    result = pairs(features.nearest(world()[3], 5, exact=False))
    monkeypatch.setattr(approximate, "_OPENED", {})
    monkeypatch.setattr(approximate, "build_index", never)
    assert pairs(features.nearest(world()[3], 5, exact=False)) == result


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"noise" * 100),
        lambda path: path.write_bytes(path.read_bytes()[:-2000]),
        lambda path: path.write_bytes(path.read_bytes()[:9000] + b"x" + path.read_bytes()[9001:]),
    ],
)
def test_a_damaged_one_is_built_again(
    features: FeatureSet, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    result = pairs(features.nearest(world()[3], 5, exact=False))
    (path,) = files(features)
    whole = path.read_bytes()
    # Others may still read the file as it was.
    path.unlink()
    path.write_bytes(whole)
    damage(path)
    monkeypatch.setattr(approximate, "_OPENED", {})
    assert pairs(features.nearest(world()[3], 5, exact=False)) == result
    assert path.read_bytes() == whole


def test_builders_at_once_come_to_one_file(features: FeatureSet) -> None:
    with get_context("spawn").Pool(2) as processes:
        result = processes.map(_ask, [str(features.tree.project)] * 4)
    assert result == [pairs(features.nearest(world()[3], 5, exact=False))] * 4
    assert len(files(features)) == 1
    assert not [path for path in (features.tree.project / FOLDER).iterdir() if "tmp" in path.name]


def _ask(path: str) -> list[tuple[float, str]]:
    return pairs(open_store(path)["look"].nearest(world()[3], 5, exact=False))


def test_where_nothing_can_be_written_it_stays_in_memory(
    features: FeatureSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(sidecar, "FOLDER", tmp_path / "file")
    assert len(features.nearest(world()[3], 5, exact=False).digests) == 5
    assert files(features) == []


def test_a_changed_set_has_another(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    put_vectors(tmp_path, world()).nearest(world()[3], 5, exact=False)
    changed = put_vectors(tmp_path, world(1))
    assert len(files(changed)) == 1
    result = changed.nearest(world(1)[3], 5, exact=False)
    assert result.scores[0] == 1.0
    assert len(files(changed)) == 2


def test_a_set_without_directions_has_no_neighbours(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    features = put_vectors(tmp_path, np.zeros((4, 3), np.float32))
    assert features.nearest(np.ones(3), 2, exact=False).digests == []
    assert features.nearest(np.ones(3), 2).digests == []


def test_faiss_is_asked_for_by_name_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = put_vectors(tmp_path, np.eye(3, dtype=np.float32))
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(PipelineError, match=r"multimodal-pipeline\[search\]"):
        features.nearest(np.ones(3), 2, exact=False)
