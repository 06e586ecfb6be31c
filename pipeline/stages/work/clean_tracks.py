"""Cleaning of assets that stand in another modality's file, such as the sound of a film.

What is taken out of the file is cleaned as any file of its modality.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from pipeline.core import spans
from pipeline.core.errors import Rejected
from pipeline.core.files.file_bytes import Bytes, FileBytes
from pipeline.modalities import part
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.part import Compute, Outcome, Row, row_key
from pipeline.raw.media_types import modality_by_type
from pipeline.raw.tracks import PART, reads_in_place, takes_spans, tracks_in, tracks_with
from pipeline.stages.work.clean import Clean

NO_SPAN = Rejected("no_span", "of a file of this kind no span of time can be taken")


class CleanTracks(Clean):
    """Cleans what are files of the modality itself, and what stands in others'."""

    def read(self, rows: Sequence[Row]) -> list[Any]:
        """Each file once, however many rows are spans of it; large ones stay where they lie."""
        files: dict[tuple[str, str], Bytes] = {}
        data: list[Bytes] = []
        for row in rows:
            file = row.source, spans.split(row.spec.locator, spans.PATH)[0]
            if row.spec.data is not None:
                data.append(self._bytes(row))
                continue
            if file not in files:
                files[file] = self._file(row)
            data.append(files[file])
        return data

    def open(self) -> Compute:
        """What stands in files of others is taken out and cleaned row by row, as it may be long."""
        clean = super().open()

        def cleaned(row: Row, data: Bytes) -> Outcome:
            with data.unchanged() if isinstance(data, FileBytes) else nullcontext():
                taken = self._taken(row, data)
                if isinstance(taken, Rejected):
                    return taken
                (outcome,) = clean([row], [taken[0]])
                return outcome if isinstance(outcome, Rejected) else {**outcome, **taken[1]}

        return lambda rows, read: [cleaned(*pair) for pair in zip(rows, read, strict=True)]

    def _file(self, row: Row) -> Bytes:
        media_type, _ = spans.split(row.spec.media_type, spans.MEDIA_TYPE)
        if reads_in_place(self.modality, media_type):
            return self.raw.open(row.source, row.spec.locator, row.digest)
        return self._bytes(row)

    def _taken(self, row: Row, data: Bytes) -> tuple[Bytes, Mapping[str, float]] | Rejected:
        media_type, span = spans.split(row.spec.media_type, spans.MEDIA_TYPE)
        tracks = tracks_with(self.modality, media_type)
        if tracks is None:
            return (data, {}) if span is None or takes_spans(self.modality) else NO_SPAN
        try:
            return tracks.take(data, self.modality, span, self.options)
        except Rejected as rejected:
            return rejected


def key_of(asset: str, media_type: str, modality: str) -> str:
    """The key of an asset's row; of one that is taken out of a file, also of how that is done."""
    kind, _ = spans.split(media_type, spans.MEDIA_TYPE)
    if tracks_with(modality, kind) is None:
        return row_key(asset, media_type)
    return row_key(asset, media_type, _function(kind))


@functools.cache
def _function(media_type: str) -> str:
    tracks = tracks_in(media_type)
    parameters = dict(tracks.parameters()) if tracks else {}
    modules = [__name__, part(modality_by_type(media_type), PART)]
    return fingerprint("tracks", modules, parameters).digest
