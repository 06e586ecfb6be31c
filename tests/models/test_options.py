from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from tests.models.synthetic import options


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"fusion": "glue"}, "unknown fusion 'glue'; there are: attention, average, bilinear"),
        ({"fusion": "attention", "fusion_options": {"heads": 0}}, "fusion_options.heads"),
        ({"fusion": "attention", "fusion_options": {"heads": 3}}, "not divisible by the 3 heads"),
        ({"fusion": "gated", "fusion_options": {"heads": 3}}, "fusion_options.heads"),
        ({"fusion": "none"}, "takes one feature set, not 3"),
        ({"primary": "shape"}, "'shape' is not one of tasks"),
        ({"features": ["words", "words"]}, "named twice"),
        ({"features": []}, "features"),
        ({"colour": 1}, "colour"),
        ({"modality_dropout": 1.5}, "modality_dropout"),
        ({"batch_size": 8, "accumulate": 9}, "batch_size of 8 makes no 9 pieces"),
        ({"batch_size": 8, "workers": 9}, "batch_size of 8 is too small for 9 workers"),
        ({"batch_size": 8, "accumulate": 3, "workers": 3}, "3 workers with 3 piece"),
        ({"precision": "float16"}, "float16 needs `device: cuda`"),
        ({"precision": "float8"}, "precision"),
        ({"warmup": 1.0}, "warmup"),
        ({"clip": 0.0}, "clip"),
        ({"average": 1.0}, "average"),
        ({"workers": 0}, "workers"),
    ],
)
def test_mistakes_are_named(changed, said):
    with pytest.raises(ValidationError, match=said):
        options(**changed)


def test_the_fusions_own_defaults_are_filled_in():
    assert options(fusion="attention").fusion_options == {
        "layers": 1,
        "heads": 4,
        "expansion": 2,
        "dropout": 0.1,
    }


def test_options_survive_json():
    first = options(fusion="gated")
    assert type(first).model_validate(first.model_dump(mode="json")) == first


def test_checking_options_loads_nothing_heavy():
    code = (
        "import sys; from tests.models.synthetic import ModelOptions as M;"
        "M(features=['a', 'b'], fusion='attention', tasks={'t': {}}, primary='t');"
        "sys.exit(any(m in sys.modules for m in ('torch', 'sklearn', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
