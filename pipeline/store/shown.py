"""Rows of a feature set by what the samples are that show its assets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.store.query import ROW, database
from pipeline.store.samples import spread_targets
from pipeline.store.stored import OWN, PLACED

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from pipeline.store.handle import FeatureSet


def shown_rows(
    features: FeatureSet, where: str, view: int | None, own: Sequence[str]
) -> np.ndarray:
    """Places of the rows that some sample shows for which a condition holds, ascending.

    `own` are the set's own columns that the condition mentions. Where samples have columns of the
    same name, the set's go first.
    """
    import numpy as np
    import pyarrow as pa

    rows = features.columns(sorted({*own, "digest"}), view)
    rows = rows.append_column(ROW, pa.array(np.arange(rows.num_rows)))
    samples = spread_targets(features.samples())
    asset = samples[features.modality]
    hidden = [name for name in (*OWN, *PLACED) if name in samples.column_names]
    samples = samples.drop_columns(hidden).append_column(f"asset {ROW}", asset)
    query = (
        f'SELECT DISTINCT {ROW} FROM rows JOIN samples ON samples."asset {ROW}" = rows.digest '
        f"WHERE ({where}\n) ORDER BY {ROW}"
    )
    with database(tables={"rows": rows, "samples": samples}) as connection:
        found: np.ndarray = connection.execute(query).fetchnumpy()[ROW]
    return found
