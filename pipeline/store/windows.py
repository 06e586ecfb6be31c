"""Samples that are spans of one file, such as windows of a film, side by side in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core import spans
from pipeline.core.errors import PipelineError
from pipeline.core.folders import ASSETS, SAMPLES
from pipeline.raw.tracks import takes_spans
from pipeline.store.format.reader import table_of
from pipeline.store.join import Joined
from pipeline.store.trees.tree import Tree


@dataclass(frozen=True)
class JoinedWindows:
    """Files (n), each with its windows (w of the one that has most) as they begin in time.

    Parameters
    ----------
    files:
        Where that lies of which the windows are cut; `<source>/<batch>: ` stands before it if it is
        of another batch, which had the same bytes before.
    times:
        int64 (n, w, 2), ms: a window is [start, end).
    seen:
        bool (n, w): a file with fewer windows has none behind its last.
    sample_ids:
        Of each window, object (n, w), None where there is none.
    split, component:
        Of each file, str (n,).
    targets:
        Target → (n, w), object with None or float64 with NaN.
    values:
        Feature set → (n, w, *shape), zero where absent.
    lengths, present:
        Feature set → int32 and bool (n, w).
    """

    files: list[str]
    times: np.ndarray
    seen: np.ndarray
    sample_ids: np.ndarray
    split: np.ndarray
    component: np.ndarray
    targets: dict[str, np.ndarray]
    values: dict[str, np.ndarray]
    lengths: dict[str, np.ndarray]
    present: dict[str, np.ndarray]


def join_windows(joined: Joined, cut: Mapping[str, tuple[str, spans.Span]]) -> JoinedWindows:
    """Put the windows of each file beside each other; samples that are no span are left out.

    Parameters
    ----------
    cut:
        Sample → the file and the span that it is of: see `spans_of_samples`.

    Raises
    ------
    PipelineError
        No sample is a span.
    """
    chosen = np.array([row for row, name in enumerate(joined.sample_ids) if name in cut], np.intp)
    if not len(chosen):
        raise PipelineError(
            "no sample is a window of a file: the source `folder` takes them from the columns "
            "start and end, which `pipeline segment` writes"
        )
    files = np.array([cut[joined.sample_ids[row]][0] for row in chosen])
    times = np.zeros((len(joined.sample_ids), 2), np.int64)
    times[chosen] = [cut[joined.sample_ids[row]][1] for row in chosen]
    names, codes = np.unique(files, return_inverse=True)
    order = np.lexsort((times[chosen, 1], times[chosen, 0], codes))
    rows, codes = chosen[order], codes[order]
    counts = np.bincount(codes)
    place = codes, np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = len(names), int(counts.max())

    def laid(column: np.ndarray, empty: Any) -> np.ndarray:
        array = np.full((*shape, *column.shape[1:]), empty, column.dtype)
        array[place] = column[rows]
        return array

    first = rows[np.cumsum(counts) - counts]
    return JoinedWindows(
        files=names.tolist(),
        times=laid(times, 0),
        seen=laid(np.ones(len(times), np.bool_), False),
        sample_ids=laid(np.array(joined.sample_ids, object), None),
        split=joined.split[first],
        component=joined.component[first],
        targets={
            name: laid(column, None if column.dtype == object else np.nan)
            for name, column in joined.targets.items()
        },
        values={name: laid(values, 0) for name, values in joined.values.items()},
        lengths={name: laid(lengths, 0) for name, lengths in joined.lengths.items()},
        present={name: laid(present, False) for name, present in joined.present.items()},
    )


def spans_of_samples(tree: Tree) -> dict[str, tuple[str, spans.Span]]:
    """Sample → the file that it is a span of, as `JoinedWindows.files` has it, and the span.

    As ingest has it, so that a window whose film was refused has the place that its words have.
    """
    samples = table_of(tree, SAMPLES)
    cut = {}
    # Of a film and its subtitles, which are of one span, the film.
    for modality in sorted(tree.names(ASSETS), key=lambda name: not takes_spans(name)):
        assets = table_of(tree, f"{ASSETS}/{modality}", ["digest", "locator"])
        written = {
            digest: spans.split(locator, spans.PATH)
            for digest, locator in zip(*assets.to_pydict().values(), strict=True)
        }
        columns = ("sample_id", "source", "batch", modality)
        rows = (samples[column].to_pylist() for column in columns)
        for name, source, batch, digest in zip(*rows, strict=True):
            path, span = written.get(digest, ("", None))
            if span and name not in cut:
                place = f"{source}/{batch}"
                is_own = path.startswith(f"{place}/")
                cut[name] = path if is_own else f"{place}: {path}", span
    return cut
