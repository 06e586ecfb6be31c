"""What is known of one batch once it is ingested and clean: what the contract looks at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.batches import in_order
from pipeline.core.files.documents import reading
from pipeline.core.folders import ASSETS, CLEAN, SAMPLES
from pipeline.curation.duplicate_links import is_informative
from pipeline.curation.hamming import near_pairs
from pipeline.curation.options import CurationOptions
from pipeline.modalities import modality_of
from pipeline.monitoring.columns import TARGET, measurements, sample_columns
from pipeline.parts import manifest


@dataclass(frozen=True)
class BatchProfile:
    """One batch of one source.

    Attributes
    ----------
    samples:
        Its rows of data/samples.
    measured:
        Modality → `digest`, `content`, `size` and what cleaning measured, of all assets that passed
        cleaning, be they of this batch or known before.
    stages:
        Stage → rows that it refused and rows that it was offered, of this batch.
    known:
        Modality → digests of assets that are equal or near to one of an earlier batch; to one of a
        sample with a target, if any sample of this batch has one.
    contradicted:
        Ids of samples that are known under another target: see `contradicted`.
    """

    source: str
    batch: str
    samples: pa.Table
    measured: Mapping[str, pa.Table]
    stages: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    known: Mapping[str, frozenset[str]] = field(default_factory=dict)
    contradicted: frozenset[str] = frozenset()

    @property
    def groups(self) -> np.ndarray:
        """str (n,): samples of a group depend on each other."""
        return np.array(self.samples["group"].to_pylist(), str)

    @property
    def schema(self) -> dict[str, str]:
        """Column of the samples, or measurement of a modality that the batch has → its type."""
        schema = {field.name: str(field.type) for field in self.samples.schema}
        for modality, table in self.measured.items():
            for name in measurements(modality, table.schema):
                schema[f"{modality}.{name}"] = str(table.schema.field(name).type)
        return schema

    @property
    def attributes(self) -> set[str]:
        """Those that any sample states."""
        return {name for pairs in self.samples["attributes"].to_pylist() for name, _ in pairs or ()}

    def columns(self, attributes: Sequence[str]) -> dict[str, np.ndarray]:
        """See `sample_columns`."""
        return sample_columns(self.samples, self.measured, attributes)

    @property
    def is_known(self) -> np.ndarray:
        """bool (n,): samples that have assets, all of which were known."""
        digests = {name: self.samples[name].to_pylist() for name in self.known}
        return np.array(
            [
                any(each)
                and all(
                    d is None or d in self.known[name]
                    for name, d in zip(digests, each, strict=True)
                )
                for each in zip(*digests.values(), strict=True)
            ],
            bool,
        )

    @property
    def is_contradicted(self) -> np.ndarray:
        """bool (n,): see `contradicted`."""
        ids = self.samples["sample_id"].to_pylist()
        return np.array([sample_id in self.contradicted for sample_id in ids], bool)


def batch_profiles(
    root: Path,
    modalities: Iterable[str],
    options: CurationOptions,
    only: Iterable[tuple[str, str]] | None = None,
) -> list[BatchProfile]:
    """The batches of a data directory that is ingested and clean, each source's in its order.

    Parameters
    ----------
    options:
        What counts as equal or near; see `known_assets`.
    only:
        (source, batch) of those that are wanted; None: all.
    """
    samples = manifest.read(root / SAMPLES)
    measured = {name: _measured(root, name) for name in modalities}
    stages = _stage_counts(root, [*measured])
    pairs = samples.group_by(["source", "batch"]).aggregate([]).to_pylist()
    batches = sorted(
        ((pair["source"], pair["batch"]) for pair in pairs),
        key=lambda batch: (batch[0], in_order(batch[1])),
    )
    wanted = set(batches if only is None else only)
    profiles = []
    earlier: list[tuple[str, str]] = []
    for source, batch in batches:
        rows = samples.filter(_of(samples, [(source, batch)]))
        if (source, batch) in wanted:
            before = samples.filter(_of(samples, earlier))
            # Labels that come later bring the media again that came without.
            labelled = (
                before.filter(_has_target(before)) if pc.any(_has_target(rows)).as_py() else before
            )
            known = {
                name: known_assets(name, rows[name], labelled[name], table, options)
                for name, table in measured.items()
            }
            profiles.append(
                BatchProfile(
                    source,
                    batch,
                    rows,
                    measured,
                    stages.get((source, batch), {}),
                    known,
                    contradicted(rows, before, measured),
                )
            )
        earlier.append((source, batch))
    return profiles


def known_assets(
    modality: str,
    digests: pa.ChunkedArray,
    earlier: pa.ChunkedArray,
    measured: pa.Table,
    options: CurationOptions,
) -> frozenset[str]:
    """Those of the digests that stand among earlier ones, or whose content does, or one near it.

    Near are perceptual hashes `curate.near_bits` apart at most, of modalities that join on near.
    """
    new, before = (pc.unique(column).drop_null() for column in (digests, earlier))
    known = set(new.filter(pc.is_in(new, value_set=before)).to_pylist())
    of_new, of_before = (
        measured.filter(pc.is_in(measured["digest"], value_set=each)) for each in (new, before)
    )
    equal = pc.is_in(of_new["content"], value_set=of_before["content"].combine_chunks())
    known |= set(of_new["digest"].filter(equal).to_pylist())
    key = modality_of(modality).LEAK_KEY
    if options.join(modality) == "near" and key is not None:
        known |= _near(of_new, of_before, key, options)
    return frozenset(known)


def contradicted(
    new: pa.Table, earlier: pa.Table, measured: Mapping[str, pa.Table]
) -> frozenset[str]:
    """Ids of new samples that an earlier one equals in all but a target; else one another.

    Equal are samples that have the same modalities with the same content once cleaned.
    """
    contents = {
        name: dict(zip(table["digest"].to_pylist(), table["content"].to_pylist(), strict=True))
        for name, table in measured.items()
    }

    targets = [name for name in new.column_names if name.startswith(TARGET)]

    def stated(table: pa.Table) -> Iterator[tuple[str, tuple[str, tuple[str | None, ...]], Any]]:
        """Sample, target and content, and what it says."""
        for row in table.select(["sample_id", *contents, *targets]).to_pylist():
            content = tuple(of_modality.get(row[name]) for name, of_modality in contents.items())
            for target in targets:
                if any(content) and row[target] is not None:
                    yield row["sample_id"], (target, content), row[target]

    said: dict[tuple[str, tuple[str | None, ...]], set[Any]] = {k: set() for _, k, _ in stated(new)}
    for _, key, value in stated(earlier):
        if key in said:
            said[key].add(value)
    settled = {key for key, values in said.items() if values}
    for _, key, value in stated(new):
        if key not in settled:
            said[key].add(value)
    return frozenset(
        sample_id
        for sample_id, key, value in stated(new)
        if (value not in said[key] if key in settled else len(said[key]) > 1)
    )


def _near(new: pa.Table, before: pa.Table, key: str, options: CurationOptions) -> set[str]:
    def informative(table: pa.Table) -> list[tuple[str, int]]:
        pairs = zip(table["digest"].to_pylist(), table[key].to_pylist(), strict=True)
        hashes = ((digest, int(value, 16)) for digest, value in pairs if value)
        return [pair for pair in hashes if is_informative(pair[1], options.min_set_bits)]

    fresh, old = informative(new), {value for _, value in informative(before)}
    hashes = np.array(sorted({value for _, value in fresh} | old), np.uint64)
    near = {value for _, value in fresh} & old
    for first, second in near_pairs(hashes, options.near_bits):
        pair = int(hashes[first]), int(hashes[second])
        near |= {value for value, other in (pair, pair[::-1]) if other in old}
    return {digest for digest, value in fresh if value in near}


def _measured(root: Path, modality: str) -> pa.Table:
    """Every column of cleaning but the content itself, and the files' sizes."""
    folder = root / CLEAN / modality
    columns: list[str] = []
    for entry in manifest.read_manifest(folder)[:1]:
        path = folder / f"{entry.key}.parquet"
        with reading(path):
            columns = [name for name in pq.read_schema(path).names if name != "data"]
    clean = manifest.read(folder, columns)
    assets = manifest.read(root / ASSETS / modality, ["digest", "size"])
    if not clean.num_rows or not assets.num_rows:
        return pa.table({"digest": pa.array([], pa.string()), "content": pa.array([], pa.string())})
    return clean.append_column(
        "size", assets["size"].take(pc.index_in(clean["digest"], value_set=assets["digest"]))
    )


def _stage_counts(
    root: Path, modalities: Iterable[str]
) -> dict[tuple[str, str], dict[str, tuple[int, int]]]:
    """By batch, stage → rows refused and offered."""
    folders = {
        "ingest": SAMPLES,
        **{
            f"{stage}/{name}": f"{folder}/{name}"
            for name in modalities
            for stage, folder in (("ingest", ASSETS), ("clean", CLEAN))
        },
    }
    counts: dict[tuple[str, str], dict[str, tuple[int, int]]] = {}
    for stage, folder in folders.items():
        refused: Counter[tuple[str, str]] = Counter()
        offered: Counter[tuple[str, str]] = Counter()
        for entry in manifest.read_manifest(root / folder):
            batch = (entry.source, entry.batch)
            refused[batch] += entry.rejected
            offered[batch] += entry.rows + entry.rejected
        for batch, rows in offered.items():
            counts.setdefault(batch, {})[stage] = refused[batch], rows
    return counts


def _has_target(samples: pa.Table) -> pa.Array:
    """Which samples have one; all where there are none to have."""
    targets = [name for name in samples.column_names if name.startswith(TARGET)]
    columns = [samples[name].is_valid().to_pylist() for name in targets]
    rows = zip(*columns, strict=True) if columns else [(True,)] * len(samples)
    return pa.array(map(any, rows), pa.bool_())


def _of(samples: pa.Table, batches: Iterable[tuple[str, str]]) -> pa.Array:
    """Which samples are of these batches."""
    wanted = {*batches}
    pairs = zip(samples["source"].to_pylist(), samples["batch"].to_pylist(), strict=True)
    return pa.array([pair in wanted for pair in pairs], pa.bool_())
