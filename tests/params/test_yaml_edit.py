"""A changed value changes the lines that say it, and no model but the one that it is for."""

from __future__ import annotations

import difflib
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import PipelineError
from pipeline.params.yaml_edit import MISSING, differences, edit_yaml
from tests.dataset import HERE

TEXT = """\
# A comment, and a null that stays one.
fallback: null      # none
flow: [1,   2]
models:
  image: &model
    tower: &tower {hidden: 8, width: 4}   # small
    rate: 0.1         # a step
    sets:
      - a             # the first
      - b
    tasks:            # of these
      shape: {weight: 1.0}

  audio: {<<: *model, sets: [c]}
  both: &both
    <<: *model
    fusion: gated
  more: {<<: *both, fusion: sum}
  tied: {tower: *tower, rate: 1}
  same: *both
last: yes
"""


def lines(after: str, before: str = TEXT) -> list[str]:
    """What was taken away and what was put in, line by line."""
    both = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in both if line[:3] not in ("---", "+++") and line[0] in "+-"]


def models(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text)["models"]
    return found


def test_nothing_changes_nothing() -> None:
    assert edit_yaml(TEXT, {}) == TEXT


def test_an_inherited_value_is_put_on_the_model_itself() -> None:
    assert lines(edit_yaml(TEXT, {("models", "audio", "rate"): 0.5})) == [
        "-  audio: {<<: *model, sets: [c]}",
        "+  audio: {<<: *model, sets: [c], rate: 0.5}",
    ]


def test_a_block_gets_a_line_and_its_heirs_keep_what_they_had() -> None:
    after = edit_yaml(TEXT, {("models", "both", "rate"): 0.5})
    assert "+    rate: 0.5" in lines(after)
    assert "+  more: {<<: *both, fusion: sum, rate: 0.1}" in lines(after)
    assert models(after) == {**models(TEXT), "both": {**models(TEXT)["both"], "rate": 0.5}}


def test_an_own_value_is_replaced_where_it_stands_with_its_comment_in_place() -> None:
    after = edit_yaml(TEXT, {("models", "image", "rate"): 0.25})
    assert "    rate: 0.25        # a step\n" in after
    assert {name: one["rate"] for name, one in models(after).items()} == {
        "image": 0.25,
        "audio": 0.1,
        "both": 0.1,
        "more": 0.1,
        "tied": 1,
        "same": 0.1,
    }


def test_an_option_of_a_shared_mapping_changes_for_one_model_alone() -> None:
    after = edit_yaml(TEXT, {("models", "tied", "tower", "hidden"): 16})
    assert lines(after) == [
        "-  tied: {tower: *tower, rate: 1}",
        "+  tied: {tower: {hidden: 16, width: 4}, rate: 1}",
    ]


def test_an_option_of_an_anchored_mapping_leaves_the_others_theirs() -> None:
    after = edit_yaml(TEXT, {("models", "image", "tower", "hidden"): 16})
    assert "    tower: &tower {hidden: 16, width: 4}   # small\n" in after
    hidden = {name: one["tower"]["hidden"] for name, one in models(after).items()}
    assert hidden.pop("image") == 16
    assert set(hidden.values()) == {8}


def test_a_block_list_becomes_one_line() -> None:
    after = edit_yaml(TEXT, {("models", "image", "sets"): ["x"]})
    assert "    sets: [x]\n    tasks:" in after
    assert models(after)["more"]["sets"] == ["a", "b"]


def test_a_key_that_heirs_would_take_over_is_refused() -> None:
    with pytest.raises(PipelineError, match=r"models\.audio\.clip would come from an anchor"):
        edit_yaml(TEXT, {("models", "image", "clip"): 1.0})


def test_what_only_one_has_is_told() -> None:
    assert differences({"a": 1, "b": {"c": 2}}, {"b": {"c": None}, "d": 1.0}) == {
        ("a",): MISSING,
        ("b", "c"): None,
        ("d",): 1.0,
    }
    assert differences({"a": 1}, {"a": True}) == {("a",): True}


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=2),
)


@settings(max_examples=40)
@given(st.sampled_from(sorted(models(TEXT))), st.sampled_from(["rate", "sets", "tower"]), VALUES)
def test_whatever_is_written_is_read_again_and_nothing_else(
    model: str, option: str, value: object
) -> None:
    wanted = yaml.safe_load(TEXT)
    own = {name: dict(one) for name, one in wanted["models"].items()}
    own[model][option] = value
    missing = option == "sets" and model == "tied"
    after = edit_yaml(TEXT, {("models", model, option): value})
    assert yaml.safe_load(after) == {**wanted, "models": own}
    assert missing or after.startswith(TEXT[: TEXT.index("models")])


@pytest.mark.parametrize("model", sorted(models((HERE / "params.yaml").read_text())))
def test_the_recipe_of_the_project_can_be_promoted_into(model: str) -> None:
    before = (HERE / "params.yaml").read_text()
    own = models(before)[model]
    after = edit_yaml(before, {("models", model, "learning_rate"): 0.0123})
    assert models(after) == models(before) | {model: {**own, "learning_rate": 0.0123}}
    assert len(lines(after, before)) <= 2 * len(models(before))
