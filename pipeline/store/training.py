"""Joined samples as a torch Dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import Dataset
from torch.utils.data._utils.collate import default_collate_fn_map

from pipeline.core.errors import PipelineError, unknown

if TYPE_CHECKING:
    from pipeline.store.join import Joined


class SampleDataset(Dataset[dict[str, Any]]):
    """One item per sample: `sample_id`; by feature set its vector and whether it is `present`;
    by name its targets, as they stand in the table.

    A whole batch is one lookup per set (`__getitems__`); a DataLoader takes it as it comes.
    """

    def __init__(self, joined: Joined, targets: Sequence[str] = ()) -> None:
        for name in targets:
            if name not in joined.targets:
                raise PipelineError(unknown("target", name, joined.targets))
        self.joined, self.targets = joined, list(targets)
        self._values = {name: torch.from_numpy(v) for name, v in joined.values.items()}
        self._present = {name: torch.from_numpy(v) for name, v in joined.present.items()}

    def __len__(self) -> int:
        return len(self.joined.sample_ids)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {
            "sample_id": self.joined.sample_ids[row],
            "features": {name: values[row] for name, values in self._values.items()},
            "present": {name: mask[row] for name, mask in self._present.items()},
            "targets": {name: self.joined.targets[name][row] for name in self.targets},
        }

    def __getitems__(self, rows: Sequence[int]) -> list[Batch]:
        """One batch: (len(rows), *shape) by set, and lists of ids and targets."""
        places = torch.as_tensor(rows)
        batch = Batch(
            sample_id=[self.joined.sample_ids[row] for row in rows],
            features={name: values[places] for name, values in self._values.items()},
            present={name: mask[places] for name, mask in self._present.items()},
            targets={name: self.joined.targets[name][list(rows)] for name in self.targets},
        )
        return [batch]


class Batch(dict[str, Any]):
    """A batch that is made already: torch's `default_collate` passes it on."""


def _first(batches: Sequence[Batch], **_: Any) -> Batch:
    return batches[0]


default_collate_fn_map[Batch] = _first
