from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.files.digest import digest_file
from pipeline.store import open_store
from pipeline.store.format.layout import write_features
from pipeline.store.validate import SetValidation, validate_set
from tests.store.small import small

__all__ = ["small"]


def look(project: Path) -> SetValidation:
    return validate_set(open_store(project).tree, "look")


def first(project: Path) -> Path:
    (entry, *_) = open_store(project)["look"].entries
    return project / "data" / "features" / "look" / f"{entry.key}.parquet"


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table], **profile: str) -> None:
    """Change a part's table, and let its manifest know the new file."""
    table = pq.read_table(path, partitioning=None)
    metadata = dict(table.schema.metadata)
    write_features(change(table), path, metadata, **profile)  # type: ignore[arg-type]
    manifest = path.with_name("_manifest.json")
    message = json.loads(manifest.read_text())
    for part in message["parts"]:
        if part["key"] == path.stem:
            part["bytes"], part["md5"] = path.stat().st_size, digest_file(path, "md5")
    manifest.write_text(json.dumps(message))


def column(name: str, change: Callable[[list[object]], list[object]]) -> Callable[..., pa.Table]:
    def changed(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index(name)
        field = table.schema.field(name)
        values = pa.array(change(table[name].to_pylist()), field.type)
        return table.set_column(at, field, values)

    return changed


def test_a_whole_set_has_no_problem(small: Path) -> None:
    result = asdict(look(small))
    assert result["problems"] == []
    assert result["mapped"] == result["parts"] == len(open_store(small)["look"].entries)
    assert result["rows"] == open_store(small)["look"].rows(None)


def test_an_archived_part_is_decoded_and_no_problem(small: Path) -> None:
    rewrite(first(small), lambda table: table, profile="archive")
    result = look(small)
    assert (result.decoded, result.problems) == (1, [])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (column("digest", lambda v: v[::-1]), "not in ascending order"),
        (column("digest", lambda v: [v[0], *v[:-1]]), "not in ascending order"),
        (column("key", lambda v: ["", *v[1:]]), "1 rows have no key"),
        (column("view", lambda v: [7] * len(v)), "of another view than 0"),
        (column("length", lambda v: [0, *v[1:]]), "not from 1 to 1"),
        (column("vector", lambda v: [[np.nan] * 5, *v[1:]]), "5 values are not finite"),
        (lambda table: table.slice(1), "rows, the manifest says"),
        (lambda table: table.drop_columns(["key"]), "lacks"),
    ],
)
def test_a_part_that_is_not_what_it_should_be_is_told(
    small: Path, change: Callable[[pa.Table], pa.Table], says: str
) -> None:
    path = first(small)
    rewrite(path, change)
    problems = look(small).problems
    assert {name for name, _ in problems} == {path.name}
    assert any(says in what for _, what in problems), problems


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (flip, "its MD5 is"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "its MD5 is"),
        (lambda path: path.write_bytes(b"x" * path.stat().st_size), "is damaged"),
        (lambda path: path.unlink(), "dvc checkout"),
        (lambda path: path.with_name("x.parquet").write_bytes(b""), "knows no such file"),
        (lambda path: path.with_name("_manifest.json").write_text("{"), "is damaged"),
    ],
)
def test_damage_is_told(small: Path, damage: Callable[[Path], None], says: str) -> None:
    damage(first(small))
    assert any(says in what for _, what in look(small).problems)


def test_every_problem_is_told_at_once(small: Path) -> None:
    entries = open_store(small)["look"].entries
    folder = small / "data" / "features" / "look"
    flip(folder / f"{entries[0].key}.parquet")
    (folder / f"{entries[1].key}.parquet").unlink()
    (folder / "mine.txt").touch()
    assert len({name for name, _ in look(small).problems}) == 3


def test_an_asset_in_two_parts_of_a_view_is_told(small: Path) -> None:
    one, other = open_store(small)["look"].entries[:2]
    folder = small / "data" / "features" / "look"
    taken = pq.read_table(folder / f"{one.key}.parquet", partitioning=None)["digest"][0].as_py()
    rewrite(
        folder / f"{other.key}.parquet",
        column("digest", lambda v: sorted([taken, *v[1:]], key=str)),
    )
    assert any("stands in" in what for _, what in look(small).problems)
