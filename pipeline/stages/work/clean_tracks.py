"""Cleaning of assets that stand in another modality's file, such as the sound of a film.

What is taken out of the file is cleaned as any file of its modality.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.core import spans
from pipeline.core.errors import Rejected
from pipeline.modalities import part
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.part import Compute, Outcome, Row, row_key
from pipeline.raw.media_types import modality_by_type
from pipeline.raw.tracks import PART, takes_spans, tracks_in, tracks_with
from pipeline.stages.work.clean import Clean

NO_SPAN = Rejected("no_span", "of a file of this kind no span of time can be taken")


class CleanTracks(Clean):
    """Cleans what are files of the modality itself, and what stands in others'."""

    def read(self, rows: Sequence[Row]) -> list[bytes]:
        """Each file once, however many rows are spans of it."""
        files: dict[tuple[str, str], bytes] = {}
        data = []
        for row in rows:
            file = row.source, spans.split(row.spec.locator, spans.PATH)[0]
            if row.spec.data is not None:
                data.append(self._bytes(row))
                continue
            if file not in files:
                files[file] = self._bytes(row)
            data.append(files[file])
        return data

    def prepare(self, rows: Sequence[Row], read: Sequence[Any]) -> list[Outcome]:
        """What stands in files of others, taken out: bytes, and what was measured on the way."""
        return [self._taken(row, data) for row, data in zip(rows, read, strict=True)]

    def open(self) -> Compute:
        clean = super().open()

        def measured(rows: Sequence[Row], taken: Sequence[Any]) -> list[Outcome]:
            outcomes = clean(rows, [data for data, _ in taken])
            return [
                outcome if isinstance(outcome, Rejected) else {**outcome, **on_the_way}
                for outcome, (_, on_the_way) in zip(outcomes, taken, strict=True)
            ]

        return measured

    def _taken(self, row: Row, data: bytes) -> tuple[bytes, Mapping[str, float]] | Rejected:
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
