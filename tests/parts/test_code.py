"""What counts as the package's code, and what does not."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.parts import code as module
from pipeline.parts.code import package_digest

DOUBLE = '''"""A kernel."""

def double(x):
    """Twice x."""
    return 2 * x  # exact
'''
FILES = {
    "__init__.py": '"""A package."""\n',
    "double.py": DOUBLE,
    "pages/page.html": "<p>{{ x }}</p>\n",
}


@pytest.fixture
def digest(
    tmp_path: Path, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, str]], str]:
    """The digest of a package with these files beside or in place of the usual ones."""
    package = tmp_path / "package"
    monkeypatch.setattr(module, "PACKAGE", package)

    def of(changes: dict[str, str]) -> str:
        for name, text in {**FILES, **changes}.items():
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            (package / name).write_text(text)
        return package_digest()

    return of


@pytest.mark.parametrize(
    "changes",
    [
        {"double.py": DOUBLE.replace("exact", "exactly twice")},
        {"double.py": DOUBLE.replace("Twice x", "Two times x")},
        {"double.py": DOUBLE.replace("2 * x", "(\n        2 * x\n    )")},
        {"__init__.py": '"""The package."""\n'},
        {"__pycache__/double.cpython-311.pyc": "compiled"},
        {".double.py.swp": "an editor's"},
    ],
)
def test_comments_docstrings_layout_and_what_is_no_part_of_it_do_not_count(
    digest: Callable[[dict[str, str]], str], changes: dict[str, str]
) -> None:
    assert digest({}) == digest(changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"double.py": DOUBLE.replace("2 * x", "3 * x")},
        {"double.py": DOUBLE.replace("def double", "def twice")},
        {"pages/page.html": "<p>{{ x }}!</p>\n"},
        {"new.py": ""},
        {"weights.bin": "7"},
    ],
)
def test_code_and_all_other_files_count(
    digest: Callable[[dict[str, str]], str], changes: dict[str, str]
) -> None:
    assert digest({}) != digest(changes)


def test_plugins_of_third_parties_count(
    tmp_path: Path, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = tmp_path / "third_party_plugin.py"
    monkeypatch.syspath_prepend(str(tmp_path))

    def digest(text: str) -> str:
        plugin.write_text(text)
        importlib.invalidate_caches()
        module.code.cache_clear()
        return package_digest(["third_party_plugin"])

    before = digest("WIDTH = 2")
    assert digest("WIDTH = 2  # columns") == before != package_digest()
    assert digest("WIDTH = 3") != before


def test_where_nothing_may_be_written_what_was_learnt_is_learnt_anew(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_learnt", {"a module"})
    Path("dvc.yaml").touch()
    Path(".pipeline").touch()  # no folder: nothing can be put there
    module.remember()
    assert Path(".pipeline").read_bytes() == b""
