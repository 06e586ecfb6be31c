"""What an alignment is taught of its examples: which of them are kin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.models.alignment.options import ALIGNMENT
from pipeline.models.examples import Examples
from pipeline.models.targets import Unlearnable


def with_components(examples: Examples, split: str) -> Examples:
    """The same with a target for the alignment: the number of its component, int64 (n,).

    Raises
    ------
    Unlearnable
        No example of the split has two modalities, and so no modality a partner.
    """
    if not (examples.has.sum(1) > 1).any():
        raise Unlearnable(
            f"the {split} split has no sample with two of {', '.join(examples.modalities)}: there "
            "is nothing to align; mend the data, or the model's features"
        )
    kin = np.unique(examples.component, return_inverse=True)[1]
    return replace(examples, targets={**examples.targets, ALIGNMENT: kin})
