from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_bytes
from pipeline.core.schemas import clean_schema, samples_schema
from pipeline.curation.options import CurationOptions
from pipeline.params.sections import PartsOptions
from pipeline.parts import manifest, tables
from pipeline.parts.fingerprint import fingerprint
from pipeline.stages.plans import curate
from tests.curation.builders import MODALITIES, TARGETS, sample

OPTIONS = {
    "join_on": {"image": "near"},
    "min_components_per_class": 3,
    "max_component_share": 1.0,
    "reject_limit": 0.5,
}


def digest(name: str) -> str:
    return digest_bytes(name.encode())


def phash(name: str) -> str:
    """Far from all others, but for a trailing +, which changes one bit."""
    return f"{int(digest(name.rstrip('+'))[:16], 16) ^ name.endswith('+'):016x}"


def write(root: Path, samples: list[dict[str, Any]], refused: set[str] = frozenset()) -> None:
    """The outputs of ingest and clean, for assets called by names."""
    written = [{**row, **{m: row[m] and digest(row[m]) for m in MODALITIES}} for row in samples]
    rows = [tables.record_row(row, row["sample_id"]) for row in written]
    store(root / "samples", samples_schema(MODALITIES, TARGETS), rows)
    for modality in MODALITIES:
        names = sorted({row[modality] for row in samples} - {None} - refused)
        measured = [pa.field("phash", pa.string())] if modality == "image" else []
        own = [
            {
                "digest": digest(name),
                "key": "-",
                "source": "s",
                "batch": "b",
                "content": f"content of {name}",
                "shape": [1],
                "data": b"-",
                "phash": phash(name) if modality == "image" else None,
            }
            for name in names
        ]
        rows = [tables.record_row(row) for row in own]
        store(root / "clean" / modality, clean_schema(pa.schema(measured)), rows)


def store(out: Path, schema: pa.Schema, rows: list[Any]) -> None:
    about = fingerprint("test", ["pipeline.parts.part"], {"columns": schema.names})
    tables.table(out, "test", about, schema, rows, 8, 2**20, 1.0).run()


def params(**changed: Any) -> Any:
    return SimpleNamespace(
        modalities=MODALITIES,
        predicted=frozenset(),
        targets=TARGETS,
        seed=0,
        parts=PartsOptions(mean_rows=8, max_bytes=2**20),
        curate=CurationOptions(**{**OPTIONS, **changed}),
    )


def subjects(count: int = 40) -> list[dict[str, Any]]:
    return [
        sample(f"{n:03}/{language}", f"{n:03}", audio=f"a{n} {language}", image=f"p{n}")
        for n in range(count)
        for language in ("da", "el")
    ]


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in [*(root / "curated").iterdir(), root / "curated.json"]
    }


def test_it_writes_components_splits_rejects_and_a_summary(inside: Path) -> None:
    rows = [*subjects(), sample("lost", image="gone"), sample("rare", text="t", category="x")]
    write(inside, rows, refused={"gone"})
    summary = curate.plan(params(), root=inside).run()
    assert (summary.rows, summary.reasons) == (81, {"no_modality_left": 1})
    curated = manifest.read(inside / "curated").to_pylist()
    assert {row["split"] for row in curated} == {"train", "validation", "test"}
    assert all(row["component"].startswith("s/") for row in curated)
    told = json.loads((inside / "curated.json").read_text())
    assert told["samples"] == {"in": 82, "curated": 81, "rejected": {"no_modality_left": 1}}
    assert told["set_aside"]["category"] == {"x": {"samples": 1, "components": 1}}
    assert told["emptied"]["image"] == 1


def test_samples_without_labels_pass_any_limit_and_change_nothing_of_the_others(
    inside: Path,
) -> None:
    write(inside, subjects())
    curate.plan(params(reject_limit=0), root=inside).run()
    before = manifest.read(inside / "curated")
    told = json.loads((inside / "curated.json").read_text())
    bare = [sample(f"z{n}", text=f"t{n}", category=None, language=None) for n in range(200)]
    write(inside, [*subjects(), *bare])
    summary = curate.plan(params(reject_limit=0), root=inside).run()
    assert (summary.rows, summary.reasons) == (80, {"no_target": 200})
    assert manifest.read(inside / "curated").equals(before)
    assert {reject.reason for reject in manifest.rejects((inside / "curated").joinpath)} == {
        "no_target"
    }
    now = json.loads((inside / "curated.json").read_text())
    assert now["samples"] == {"in": 280, "curated": 80, "rejected": {"no_target": 200}}
    assert now["warnings"][1:] == told["warnings"]
    changed = {"samples", "warnings"}
    assert {k: v for k, v in now.items() if k not in changed} == {
        k: v for k, v in told.items() if k not in changed
    }
    # Others are counted as before, and unlabelled samples do not thin them out.
    write(inside, [*subjects(), *bare, *[sample("lost", image="gone")]], refused={"gone"})
    with pytest.raises(PipelineError, match=r"1 of 81 rows .*1\.2%"):
        curate.plan(params(reject_limit=0.01), root=inside).run()


def test_near_pictures_make_one_component(inside: Path) -> None:
    write(inside, [*subjects(), sample("a", image="cat"), sample("b", image="cat+")])
    curate.plan(params(), root=inside).run()
    rows = {row["sample_id"]: row for row in manifest.read(inside / "curated").to_pylist()}
    assert rows["a"]["component"] == rows["b"]["component"]
    assert rows["a"]["split"] == rows["b"]["split"]
    assert rows["a"]["joined_by"] == [f"image:{digest('cat')}"]


def test_the_outputs_know_no_history_and_the_moves_are_counted(inside: Path) -> None:
    first, then, fresh = subjects(), subjects(), inside / "fresh"
    then += [sample(f"tie {n}", f"t{n}", audio=f"a{n} da") for n in range(40)]
    write(inside, first)
    assert curate.plan(params(), root=inside).run().moved == {}
    before = splits(inside)
    write(inside, then)
    moved = curate.plan(params(), root=inside).run().moved
    after = splits(inside)
    expected = [f"{before[name]}→{after[name]}" for name in before if before[name] != after[name]]
    assert expected
    assert moved == {step: expected.count(step) for step in sorted(set(expected))}

    write(fresh, then)
    assert curate.plan(params(), root=fresh).run().moved == {}
    assert contents(inside) == contents(fresh)


def splits(root: Path) -> dict[str, str]:
    rows = manifest.read(root / "curated", ["sample_id", "split"]).to_pylist()
    return {row["sample_id"]: row["split"] for row in rows}


def test_a_second_run_computes_nothing_and_neither_do_options_that_change_no_row(
    inside: Path,
) -> None:
    write(inside, subjects())
    curate.plan(params(), root=inside).run()
    before = contents(inside)
    assert curate.plan(params(), root=inside).run().computed == 0
    summary = curate.plan(params(max_component_share=0.5, reject_limit=0.1), root=inside).run()
    assert summary.computed == 0
    assert contents(inside) == before


def test_a_few_more_samples_rewrite_a_few_parts(inside: Path) -> None:
    write(inside, subjects())
    curate.plan(params(), root=inside).run()
    write(inside, [*subjects(), sample("new", text="t")])
    summary = curate.plan(params(), root=inside).run()
    assert summary.computed == 1
    assert summary.reused > 4


def test_a_damaged_previous_output_is_mended(inside: Path) -> None:
    write(inside, subjects())
    curate.plan(params(), root=inside).run()
    before = contents(inside)
    next((inside / "curated").glob("*.parquet")).unlink()
    assert curate.plan(params(), root=inside).run().moved == {}
    assert contents(inside) == before


def test_a_giant_component_fails_and_leaves_the_previous_outputs(inside: Path) -> None:
    write(inside, subjects())
    curate.plan(params(max_component_share=0.3), root=inside).run()
    before = contents(inside)
    write(inside, [{**row, "text": "hello"} for row in subjects()])
    with pytest.raises(PipelineError, match=rf"text:{digest('hello')} joins 40 groups"):
        curate.plan(params(max_component_share=0.3), root=inside).run()
    assert contents(inside) == before


def test_a_leak_fails_and_leaves_the_previous_outputs(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(inside, subjects())
    curate.plan(params(), root=inside).run()
    before = contents(inside)
    write(inside, [*subjects(), *(sample(f"{n}", audio="a1 da") for n in range(9))])
    monkeypatch.setattr("pipeline.curation.curate.duplicate_links", lambda *_: [])
    with pytest.raises(PipelineError, match=r"leak gate found .* same audio"):
        curate.plan(params(), root=inside).run()
    assert contents(inside) == before


def test_near_needs_a_perceptual_hash(inside: Path) -> None:
    write(inside, subjects())
    with pytest.raises(PipelineError, match="audio cannot join on near"):
        curate.plan(params(join_on={"audio": "near"}), root=inside).run()


def test_no_samples(inside: Path) -> None:
    write(inside, [])
    with pytest.raises(PipelineError, match="holds no samples"):
        curate.plan(params(), root=inside).run()


def test_a_modality_of_which_nothing_is_left_is_empty(inside: Path) -> None:
    rows = [*subjects(), sample("a", text="t")]
    write(inside, rows, refused={"t"})
    assert curate.plan(params(), root=inside).run().reasons == {"no_modality_left": 1}
