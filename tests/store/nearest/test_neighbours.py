from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_bytes
from pipeline.parts.part import Row
from pipeline.store import Store, open_store
from pipeline.store.feature_set import FeatureSet
from pipeline.store.nearest import neighbours, view_cache
from tests.stages.plans.stored import Stored, asset
from tests.store.small import COUNT, picture, put_sets, record, small
from tests.toy import function, put

__all__ = ["small"]
NUMBERS = st.one_of(
    st.integers(-2, 2).map(float), st.floats(-1e3, 1e3, width=32), st.sampled_from([np.nan, np.inf])
)


def put_vectors(project: Path, vectors: np.ndarray) -> FeatureSet:
    """A project whose set `look` holds these rows; row i is of the asset `digest(i)`."""
    (project / "params.yaml").write_text("features: {look: {modality: image, encoder: x}}")
    keys = [digest_bytes(vector.tobytes()) for vector in vectors]
    rows = [Row(digest(i), keys[i], "s", "b", 8, 0, v) for i, v in enumerate(vectors)]
    out = project / "data" / "features" / "look"
    put(out, Stored(function(), "extract/look"), rows, cut=(64, 1 << 20))
    return open_store(project)["look"]


def digest(i: int) -> str:
    return asset("image", str(i))


def naive(vectors: np.ndarray, query: np.ndarray, k: int) -> list[tuple[float, str]]:
    """(cosine, digest) of the k nearest, one row at a time."""
    wide, asked = vectors.astype(np.float64), query.astype(np.float64)
    result = []
    for i, row in enumerate(wide):
        length = np.sqrt((row * row).sum())
        if 0 < length < np.inf:
            cosine = (row * (asked / np.sqrt((asked * asked).sum()))).sum() / length
            result.append((-float(np.float32(np.clip(cosine, -1, 1))), digest(i)))
    return [(-score, name) for score, name in sorted(result)[:k]]


def pairs(found: neighbours.Neighbours) -> list[tuple[float, str]]:
    return list(zip(found.scores.tolist(), found.digests, strict=True))


@settings(max_examples=25)
@given(
    vectors=st_numpy.arrays(
        np.float32, st.tuples(st.integers(1, 40), st.just(3)), elements=NUMBERS
    ),
    query=st_numpy.arrays(np.float32, 3, elements=st.integers(-3, 3).map(float)),
    k=st.integers(1, 45),
)
def test_they_are_what_comparing_one_by_one_finds(
    tmp_path_factory: pytest.TempPathFactory, vectors: np.ndarray, query: np.ndarray, k: int
) -> None:
    if not query.any():
        query[0] = 1
    tiny = np.abs(vectors) < 1e-6
    vectors[tiny] = 0
    features = put_vectors(tmp_path_factory.mktemp("drawn"), vectors)
    result = features.nearest(query, k)
    assert pairs(result) == naive(vectors, query, k)
    own = {digest(i): v for i, v in enumerate(vectors)}
    for name, place in zip(result.digests, result.places.tolist(), strict=True):
        assert np.array_equal(features.matrix(np.array([place]))[0], own[name])


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_many_rows_in_many_pieces(
    tmp_path: Path, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((300, 33)).astype(dtype)
    vectors[100:110] = vectors[7] * 2
    features = put_vectors(tmp_path, vectors)
    wanted = naive(vectors, vectors[7], 20)
    whole = features.nearest(vectors[7], 20)
    assert pairs(whole) == wanted
    limits = ((view_cache, "PIECE", 500), (view_cache, "MAPS", 0), (neighbours, "ROWS", 3))
    for module, name, value in limits:
        monkeypatch.setattr(module, name, value)
        monkeypatch.setattr(view_cache, "_CACHES", {})
        assert pairs(features.nearest(vectors[7], 20)) == wanted
    with ThreadPoolExecutor(4) as pool:
        every = list(pool.map(lambda _: pairs(features.nearest(vectors[7], 20)), range(8)))
    assert every == [wanted] * 8


@pytest.fixture
def store(small: Path) -> Store:
    return open_store(small)


def test_an_id_asks_with_its_own_vector_and_is_left_out(store: Store) -> None:
    look = store["look"]
    by_sample, by_digest = look.nearest("s/07", 5), look.nearest(asset("image", "7"), 5)
    by_vector = look.nearest(picture(7), 6)
    assert by_vector.digests[0] == asset("image", "7")
    assert pairs(by_sample) == pairs(by_digest) == pairs(by_vector)[1:]
    assert asset("image", "7") not in look.nearest("s/07", COUNT).digests
    assert len(look.nearest("s/07", COUNT).digests) == len(look) - 1


def test_another_view_is_another_set_of_rows(store: Store) -> None:
    result = store["look"].nearest(picture(9, view=2), 1, view=2)
    assert result.digests == [asset("image", "9")]
    assert result.scores.tolist() == [1.0]
    assert store["look"].nearest(picture(9, view=2), 1).scores[0] < 1


@pytest.mark.parametrize("where", ["split = 'train'", "sample_id IN ('s/08', 's/02', 's/20')"])
def test_where_leaves_rows_that_meet_it(store: Store, where: str) -> None:
    look = store["look"]
    kept = set(look.to_numpy(["digest"], where=where)["digest"])
    every = pairs(look.nearest(picture(3), COUNT))
    assert pairs(look.nearest(picture(3), 9, where)) == [p for p in every if p[1] in kept][:9]
    assert look.nearest(picture(3), 9, "split = 'nowhere'").digests == []


def test_a_changed_set_is_compared_anew(store: Store) -> None:
    store["look"].nearest(picture(3), 3)
    changed = [{**record(i), "image": asset("image", f"new {i}")} for i in range(COUNT)]
    put_sets(store.project / "data", changed)
    result = open_store(store.project)["look"].nearest(picture(3), 1)
    assert result.digests == [asset("image", "new 3")]


@pytest.mark.parametrize(
    ("query", "k", "says"),
    [
        (np.ones(4, np.float32), 3, r"the query is float32 \(4,\); look holds float32 \(5,\)"),
        (np.ones((1, 5), np.float32), 3, r"\(1, 5\)"),
        (np.array(list("abcde")), 3, "look holds float32"),
        (np.zeros(5), 3, "no direction"),
        (np.array([1, np.nan, 1, 1, 1]), 3, "no direction"),
        (np.ones(5), 0, "ask for 1 or more"),
        ("nobody", 3, "no row in view 0 for nobody"),
    ],
)
def test_a_question_that_cannot_be_asked_is_told(
    store: Store, query: np.ndarray | str, k: int, says: str
) -> None:
    with pytest.raises(PipelineError, match=says):
        store["look"].nearest(query, k)


def test_sequences_and_empty_views_are_told(store: Store) -> None:
    with pytest.raises(PipelineError, match=r"sequences \(float32 \(4, 2\)\)"):
        store["sound"].nearest("s/04", 3)
    with pytest.raises(PipelineError, match="no rows in view 7; its views: 0, 1, 2"):
        store["look"].nearest(picture(1), 3, view=7)
