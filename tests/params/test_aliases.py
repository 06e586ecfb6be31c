"""aliases.yaml comes back as it was written, and says all that is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.params.aliases import ALIASES, Alias, read_aliases, write_aliases

CHAMPION = Alias(model="gated", revision="a" * 40)
# YAML would take these for a number each.
DIGITS = Alias(model="1e5", revision="1234567890" * 4)
EXPONENT = Alias(model="007", revision="1" * 20 + "e" + "5" * 19)


def test_aliases_come_back_in_order_of_their_names(tmp_path: Path) -> None:
    assert read_aliases(tmp_path) == {}
    written = {"old": DIGITS, "champion": CHAMPION, "number": EXPONENT}
    write_aliases(tmp_path, written)
    assert read_aliases(tmp_path) == written
    assert [*read_aliases(tmp_path)] == ["champion", "number", "old"]
    assert [path.name for path in tmp_path.iterdir()] == [ALIASES]


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / ALIASES).write_text(
        "champion: {model: gated, revision: main}\n"
        "old: {revision: " + "b" * 40 + "}\n"
        "no name: {model: gated, revision: " + "b" * 40 + ", why: no}\n"
    )
    with pytest.raises(PipelineError) as caught:
        read_aliases(tmp_path)
    for place in ("champion.revision", "old.model", "no name", "no name.why"):
        assert f"  {place}: " in str(caught.value)


@pytest.mark.parametrize("text", ["- champion", "champion", "champion: gated", "champion: {"])
def test_what_is_no_mapping_of_aliases_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / ALIASES).write_text(text)
    with pytest.raises(PipelineError, match=ALIASES):
        read_aliases(tmp_path)


def test_an_empty_file_names_nothing(tmp_path: Path) -> None:
    (tmp_path / ALIASES).write_text("# none yet\n")
    assert read_aliases(tmp_path) == {}
