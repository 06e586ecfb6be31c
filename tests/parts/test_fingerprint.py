from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from pipeline.parts import fingerprint as module
from pipeline.parts.code import imports
from pipeline.parts.fingerprint import fingerprint, reach

CODE = '''"""A kernel."""
import numpy as np

def double(x):
    """Twice x."""
    return np.multiply(x, 2)  # exact
'''


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Writes a module and returns the fingerprint of a function in it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def of(code: str, **how: object) -> str:
        (tmp_path / "kernel_under_test.py").write_text(code)
        sys.modules.pop("kernel_under_test", None)
        importlib.invalidate_caches()
        module.code.cache_clear()
        return fingerprint("f", ["kernel_under_test"], how.pop("parameters", {}), **how).digest

    return of


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# exact", "# exactly twice"),
        ('"""Twice x."""', '"""Two times x."""'),
        ('    """Twice x."""\n', ""),
        ('"""A kernel."""', '"""The kernel."""'),
        ("(x, 2)", "(\n        x,\n        2,\n    )"),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(kernel, before: str, after: str) -> None:
    assert CODE.replace(before, after) != CODE
    assert kernel(CODE.replace(before, after)) == kernel(CODE)


@pytest.mark.parametrize(
    ("before", "after"),
    [("x, 2", "x, 3"), ("np.multiply", "np.add"), ("import numpy as np", "import pyarrow as np")],
)
def test_code_counts(kernel, before: str, after: str) -> None:
    assert kernel(CODE.replace(before, after)) != kernel(CODE)


def test_parameters_and_weights_count_and_paths_do_not(kernel, tmp_path: Path) -> None:
    assert kernel(CODE, parameters={"a": 1}) != kernel(CODE, parameters={"a": 2})
    for folder, data in [("one", b"w"), ("two", b"w"), ("three", b"v")]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.bin").write_bytes(data)
    one, two, three = (
        kernel(CODE, weights=[tmp_path / folder / "model.bin"])
        for folder in ("one", "two", "three")
    )
    assert one == two
    assert one != three


def test_library_versions_count(kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kernel(CODE)
    monkeypatch.setattr(module, "version", lambda name: "0.0.1")
    assert kernel(CODE) != before


def test_torch_is_known_by_its_build_which_is_read_without_loading_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    monkeypatch.setattr(module, "version", lambda name: "2.13.0")  # as PyPI's metadata say
    monkeypatch.delitem(sys.modules, "torch")
    libraries = fingerprint("f", ["pipeline.core.machine.device"], {}).libraries
    assert libraries["torch"] == torch.__version__
    assert "torch" not in sys.modules


def test_imports_are_followed_wherever_they_stand_but_not_for_type_checkers() -> None:
    reached = reach(["pipeline.stages.work.extract"])
    assert {
        "pipeline.parts.part",
        "pipeline.store.format.layout",
        "pipeline.core.records",
    } <= reached
    assert "pipeline.parts.fingerprint" not in reached  # imported under TYPE_CHECKING alone


@pytest.mark.parametrize("work", ["clean", "augment", "extract"])
def test_no_key_sees_executors_params_stages_or_planning(work: str) -> None:
    unseen = ("pipeline.execution", "pipeline.params", "pipeline.stages", "pipeline.parts.plan")
    assert [
        name for name in reach([f"pipeline.stages.work.{work}"]) if name.startswith(unseen)
    ] == []


@pytest.mark.parametrize("module", ["pipeline.parts.part", "pipeline.models.training.snapshot"])
def test_how_a_file_is_put_in_place_is_in_no_key(module: str) -> None:
    assert "pipeline.core.files.atomic" in imports(module)
    assert "pipeline.core.files.atomic" not in fingerprint("f", [module], {}).code


@pytest.mark.parametrize("work", ["train", "evaluate"])
def test_the_join_is_in_the_keys_of_what_reads_it(work: str) -> None:
    assert {"pipeline.store.join", "pipeline.store.format.layout"} <= reach(
        [f"pipeline.stages.work.{work}"]
    )
