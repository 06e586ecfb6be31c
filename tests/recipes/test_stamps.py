"""The recipes on Tux Paint's stamps, on a slice made like them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.command import call
from tests.recipes.slices import put_slice, put_stamps, run_slice

# In place of networks whose weights take seconds to load.
LIGHT: dict[str, dict[str, Any]] = {
    "efficientnet_lite0": {"encoder": "colour_hog"},
    "use_multilingual": {"encoder": "hashing"},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "models", "features"),
    [
        ("cnn_rnn", ["words_gru", "cnn_lstm_cnn"], {}),
        ("multi_task", ["shared", "alone", "with_all_weighted"], LIGHT),
        ("pretrained", ["words_linear", "both_tuned"], {"cnn": {"encoder": "colour_hog"}}),
    ],
)
def test_a_recipe_comes_to_results(
    name: str, models: list[str], features: dict[str, Any], inside: Path
) -> None:
    params = put_slice(inside, name, put_stamps, models, features)
    run_slice(params, compares=name == "multi_task")
    code, output = call("results")
    assert code == 0, output
    for model in params.models:
        assert f"| `{model}` |" in output
    assert Path("data", "reports", "index.html").is_file()
    for target in params.targets:
        assert f"**{target}** on the test split" in output
    if name == "multi_task":
        assert "**Comparison**" in output
