"""What made a feature set is known before NumPy is loaded, which then computes alike."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.store import open_store
from pipeline.store.trees.opening import open_tree, processor_of
from tests.store.small import small

__all__ = ["small"]
LIGHT = """
import sys
from pathlib import Path
from pipeline.core.machine.environment import stated_instructions
from pipeline.store.trees.opening import open_tree, processor_of
stated_instructions()
print(processor_of(open_tree(Path()), "look"))
print(sorted({"numpy", "pyarrow"} & set(sys.modules)))
"""


def test_numpy_is_not_loaded_for_it(small: Path) -> None:
    output = subprocess.check_output([sys.executable, "-c", LIGHT], cwd=small, text=True)
    assert output.splitlines() == [open_store(small)["look"].processor, "[]"]


def test_an_unknown_set_is_said(small: Path) -> None:
    with pytest.raises(PipelineError, match=r"there is no .*unknown"):
        processor_of(open_tree(small), "unknown")


def test_params_that_are_not_utf_8_are_said(inside: Path) -> None:
    Path("params.yaml").write_bytes("targets: {größe: {}}\n".encode("latin-1"))
    with pytest.raises(
        PipelineError, match=r"params\.yaml is not UTF-8, as its byte 12 shows: save it as that"
    ):
        open_tree(Path())
