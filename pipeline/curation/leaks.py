"""The leak gate: does anything stand in two splits? Asked of the finished table, from scratch.

It shares no code with what made the components: equality is asked in SQL, and near pictures are
found by comparing all of one split with all of another, so that a mistake there shows here. At
0.8 ns a pair, 100,000 distinct pictures take 2 s and a million some minutes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import PipelineError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from pipeline.curation.options import CurationOptions

ROWS, COLUMNS = 16, 4096  # a block of pairs that stays in the cache

STRADDLING = """
    SELECT {key} AS subject, min(split), arg_min(sample_id, split || sample_id),
        max(split), arg_max(sample_id, split || sample_id)
    FROM {rows} WHERE {key} IS NOT NULL
    GROUP BY subject HAVING count(DISTINCT split) > 1 ORDER BY subject
"""


@dataclass(frozen=True, order=True)
class Leak:
    """Something that stands in two splits, with one sample of each.

    `kind` is group, component, given, or, of a modality, `same image` (one asset), `equal image`
    (equal content) or `near image`; `subject` what the two share: a name, a digest, two hashes.
    """

    kind: str
    subject: str
    split: str
    sample_id: str
    other_split: str
    other_sample_id: str

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.subject}: {self.sample_id} in {self.split}, "
            f"{self.other_sample_id} in {self.other_split}"
        )


def find_leaks(
    curated: pa.Table, cleaned: Mapping[str, pa.Table], options: CurationOptions
) -> list[Leak]:
    """Every group, component, asset and near pair of pictures that stands in two splits.

    Parameters
    ----------
    curated:
        Curated samples.
    cleaned:
        Modality → `digest`, `content` and, for modalities that join on near, `phash` (16
        hexadecimal digits, or null) of its cleaned assets.
    """
    import duckdb

    with duckdb.connect(config={"threads": 1}) as database:
        database.register("curated", curated)
        leaks_found = [
            *_straddling(database, "group", "source || '/' || \"group\"", "curated"),
            *_straddling(database, "component", "component", "curated"),
        ]
        if options.on_leak == "fail":
            reassigned = (
                "SELECT sample_id, split_given, split FROM curated WHERE split <> split_given"
            )
            for sample, expected, split in database.sql(reassigned).fetchall():
                leaks_found.append(Leak("given", sample, expected, sample, split, sample))
        for modality, table in cleaned.items():
            how = options.join(modality)
            if how == "none":
                continue
            leaks_found += _straddling(database, f"same {modality}", f'"{modality}"', "curated")
            if table.num_rows == 0:
                continue
            database.register("cleaned", table)
            joined = f'(FROM curated JOIN cleaned ON curated."{modality}" = cleaned.digest)'
            leaks_found += _straddling(database, f"equal {modality}", "content", joined)
            if how == "near":
                leaks_found += _near(database, f"near {modality}", joined, options)
            database.unregister("cleaned")
    return sorted(set(leaks_found))


def check_leaks(
    curated: pa.Table, cleaned: Mapping[str, pa.Table], options: CurationOptions
) -> None:
    """PipelineError naming the leaks, if there are any."""
    leaks_found = find_leaks(curated, cleaned, options)
    if leaks_found:
        raise PipelineError(_message(leaks_found))


def _straddling(database: duckdb.DuckDBPyConnection, kind: str, key: str, rows: str) -> list[Leak]:
    rows_found = database.sql(STRADDLING.format(key=key, rows=rows)).fetchall()
    return [Leak(kind, *row) for row in rows_found]


def _near(
    database: duckdb.DuckDBPyConnection, kind: str, joined: str, options: CurationOptions
) -> Iterator[Leak]:
    query = f"""
        SELECT split, phash, min(sample_id) FROM {joined}
        WHERE phash IS NOT NULL GROUP BY split, phash ORDER BY split, phash
    """
    by_split: dict[str, list[tuple[str, str]]] = {}
    for split, phash, sample in database.sql(query).fetchall():
        if options.min_set_bits <= f"{int(phash, 16):b}".count("1") <= 64 - options.min_set_bits:
            by_split.setdefault(split, []).append((phash, sample))
    hashes = {
        split: np.array([int(phash, 16) for phash, _ in rows], np.uint64)
        for split, rows in by_split.items()
    }
    for first_split, second_split in combinations(sorted(by_split), 2):
        for i, j in _close(hashes[first_split], hashes[second_split], options.near_bits):
            (phash, sample), (other_phash, other_sample) = (
                by_split[first_split][i],
                by_split[second_split][j],
            )
            yield Leak(
                kind, f"{phash}~{other_phash}", first_split, sample, second_split, other_sample
            )


def _close(
    first: NDArray[np.uint64], second: NDArray[np.uint64], distance: int
) -> Iterator[tuple[int, int]]:
    """Indices of the pairs at most `distance` bits apart, by comparing all with all."""
    for row in range(0, len(first), ROWS):
        for column in range(0, len(second), COLUMNS):
            block = first[row : row + ROWS, None] ^ second[None, column : column + COLUMNS]
            close = np.bitwise_count(block) <= distance
            if close.any():
                for i, j in np.argwhere(close).tolist():
                    yield row + i, column + j


def _message(leaks_found: Sequence[Leak], limit: int = 10) -> str:
    kinds = ", ".join(
        f"{n} {kind}" for kind, n in Counter(leak.kind for leak in leaks_found).items()
    )
    lines = [f"  {leak}" for leak in leaks_found[:limit]]
    more = [f"  and {len(leaks_found) - limit} more"] if len(leaks_found) > limit else []
    return "\n".join(
        [
            f"curate: the leak gate found {len(leaks_found)} leaks between splits ({kinds}):",
            *lines,
            *more,
            "Nothing was written. This is a mistake in the pipeline itself: please report it.",
        ]
    )
