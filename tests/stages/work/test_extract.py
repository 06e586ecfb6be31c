from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.files.digest import digest_bytes
from pipeline.core.machine.shortage import DeviceFailure
from pipeline.core.options import Options
from pipeline.core.schemas import clean_schema
from pipeline.modalities.text import content
from pipeline.parts.job import Job, UsageMeter, execute
from pipeline.parts.part import Part, Row, read_footer, write_table
from pipeline.stages.work import extract
from pipeline.stages.work.extract import Extract, Recipe
from tests.toy import function


class Batched(Options):
    batch_size: int = 3
    device: str = "cpu"


class Length:
    """Encodes a text as its length; `!` raises, `?` gives NaN, `~` rejects, `#` is a mistake."""

    def __init__(self, options: Options) -> None:
        self.seen: list[int] = []

    def encode(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        for text in texts:
            if "!" in text:
                raise ValueError(text)
            if "~" in text:
                raise Rejected("odd", "the text is odd")
            if "#" in text:
                raise PipelineError("a library is missing")
        values = [[np.nan if "?" in text else len(text)] for text in texts]
        return np.array(values, np.float32), np.ones(len(texts), np.int32)


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = SimpleNamespace(
        MODALITY="text", COST_MS=1.0, Encoder=Length, shape=lambda options: (1,)
    )
    monkeypatch.setattr(extract, "encoder_of", {"length": encoder}.__getitem__)


def run(
    folder: Path, texts: list[str], device: str = "cpu"
) -> tuple[dict[str, float], dict[str, str]]:
    """Text → feature of those that passed, text → reason of those that did not."""
    folder.mkdir(exist_ok=True)
    digests = {digest_bytes(text.encode()): text for text in texts}
    records = []
    for digest, text in digests.items():
        data, shape = content.pack(text)
        records.append(
            {"digest": digest, "key": "k", "content": digest, "shape": list(shape), "data": data}
        )
    clean = pa.Table.from_pylist(records, schema=clean_schema(pa.schema([])))
    write_table(clean, folder / "part.parquet", {})
    rows = tuple(
        Row(digest, digest, "s", "b", 4, 0, Recipe("part", "[]")) for digest in sorted(digests)
    )
    work = Extract("set", "length", Batched(device=device), folder, function())
    entry = execute(
        work, work.open(), Job(Part("key", "s", "b", 0, rows)), folder / "out", UsageMeter()
    ).entry
    table = pq.read_table(folder / "out" / f"{entry.key}.parquet")
    refused = read_footer(folder / "out" / f"{entry.key}.parquet")["rejects"]
    passed = dict(
        zip(
            table["digest"].to_pylist(),
            [vector[0] for vector in table["vector"].to_pylist()],
            strict=True,
        )
    )
    return (
        {digests[digest]: value for digest, value in passed.items()},
        {digests[reject["digest"]]: reject["reason"] for reject in refused},
    )


def test_a_bad_row_costs_itself_and_not_its_neighbours(tmp_path: Path) -> None:
    passed, refused = run(tmp_path, ["a", "bb", "!", "ccc", "what?", "dddd", "~", "eeeee", "f"])
    assert passed == {"a": 1, "bb": 2, "ccc": 3, "dddd": 4, "eeeee": 5, "f": 1}
    assert refused == {"!": "failed", "what?": "not_finite", "~": "odd"}


def test_a_mistake_of_the_user_is_no_reject(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="a library is missing"):
        run(tmp_path, ["a", "#"])


@pytest.mark.parametrize("text", ["!", "CUBLAS_STATUS_ALLOC_FAILED!"])
def test_an_error_on_a_gpu_refuses_no_row(tmp_path: Path, text: str) -> None:
    with pytest.raises(DeviceFailure, match=r"extract/set: the GPU failed \(ValueError: "):
        run(tmp_path, ["a", text], device="cuda")
    assert not list(tmp_path.glob("out/*.parquet"))


def test_on_a_gpu_refusals_and_mistakes_are_what_they_are(tmp_path: Path) -> None:
    passed, refused = run(tmp_path, ["a", "what?", "~"], device="cuda")
    assert (passed, refused) == ({"a": 1}, {"what?": "not_finite", "~": "odd"})
    with pytest.raises(PipelineError, match="a library is missing") as caught:
        run(tmp_path / "other", ["#"], device="cuda")
    assert not isinstance(caught.value, DeviceFailure)


def test_all_refused_is_an_empty_part(tmp_path: Path) -> None:
    assert run(tmp_path, ["!", "!!"]) == ({}, {"!": "failed", "!!": "failed"})


@given(st.lists(st.text("ab!?~", min_size=1, max_size=4), unique=True, min_size=1, max_size=12))
def test_rows_in_are_rows_out_and_refused(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    passed, refused = run(tmp_path_factory.mktemp("part"), texts)
    assert set(passed) | set(refused) == set(texts)
    assert not set(passed) & set(refused)
