from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Protocol

import pytest
from pydantic import ValidationError

from pipeline import encoders, sources
from pipeline.core import registry
from pipeline.core.errors import PipelineError
from pipeline.modalities import cleaning_of, content_of, modalities, modality_of, showing_of
from pipeline.models.task_options import TaskOptions
from pipeline.models.tasks import task_of
from pipeline.params import parse
from tests import dataset


def test_names_are_the_files_of_the_folder() -> None:
    folder = Path(encoders.__file__).parent
    files = {path.stem for path in folder.glob("[!_]*.py")}
    assert set(registry.names("encoders")) == files


def test_a_module_that_begins_with_an_underscore_is_no_plug_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = registry.names("sources")
    (tmp_path / "_helper.py").touch()
    (tmp_path / "plugin.py").touch()
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path)])
    assert registry.names("sources") == sorted([*before, "plugin"])
    with pytest.raises(PipelineError, match="unknown source '_helper'"):
        registry.load("sources", "_helper")


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(PipelineError, match=r"unknown encoder 'mffc'; there are: .*mfcc"):
        registry.load("encoders", "mffc")


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Registers a module of a third party, `theirs`, in a folder."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def register(folder: str, text: str) -> None:
        (tmp_path / "their_module.py").write_text(text)
        point = EntryPoint("theirs", "their_module", f"pipeline.{folder.replace('/', '.')}")
        monkeypatch.setattr(registry, "entry_points", lambda: EntryPoints([point]))
        registry._all_points.cache_clear()
        registry._points.cache_clear()

    yield register
    sys.modules.pop("their_module", None)
    registry._all_points.cache_clear()
    registry._points.cache_clear()


def test_a_third_party_adds_its_own_by_entry_point(theirs: Callable[[str, str], None]) -> None:
    theirs("encoders", "MODALITY = 'image'\n")
    assert "theirs" in registry.names("encoders")
    assert registry.load("encoders", "theirs").MODALITY == "image"


def test_a_modality_from_elsewhere_is_a_registry_of_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, theirs: Callable[[str, str], None]
) -> None:
    theirs("modalities", "INLINE = LEAK_KEY = None\n")
    assert "theirs" in modalities()
    assert registry.names("modalities/theirs") == []
    with pytest.raises(PipelineError, match=r"modality 'theirs' .* lacks MEDIA_TYPES"):
        modality_of("theirs")
    sys.modules.pop("their_module")
    (tmp_path / "their_module.py").unlink()
    (tmp_path / "their_module").mkdir()
    (tmp_path / "their_module" / "__init__.py").touch()
    (tmp_path / "their_module" / "content.py").write_text("def pack(content): return b'', ()\n")
    importlib.invalidate_caches()
    assert registry.locate("modalities/theirs", "content") == "their_module.content"
    with pytest.raises(PipelineError, match=r"part of the modality theirs, 'clean'; .*: content$"):
        cleaning_of("theirs")
    with pytest.raises(PipelineError, match=r"'content' \(their_module.content\) lacks unpack: "):
        content_of("theirs")
    assert showing_of("theirs") is None
    wanted = {**dataset.params(), "modalities": ["image", "audio", "text", "theirs"]}
    with pytest.raises(PipelineError, match=r"1 mistake.*\n +modalities.3: .*lacks INLINE"):
        parse(wanted)
    (tmp_path / "their_module" / "__init__.py").write_text("MEDIA_TYPES = INLINE = LEAK_KEY = ()")
    sys.modules.pop("their_module")
    importlib.invalidate_caches()
    with pytest.raises(PipelineError, match=r"(?s)2 mistake.*modalities.theirs: .*'clean'.*'augm"):
        parse(wanted)


class Shape(Protocol):
    SIDES: int

    def area(self, side: float) -> float: ...


def test_what_a_plug_in_lacks_is_named_with_the_contract(
    theirs: Callable[[str, str], None],
) -> None:
    theirs("encoders", "SIDES = 4\n")
    with pytest.raises(
        PipelineError, match=r"encoder 'theirs' \(their_module\) lacks area: .*Shape"
    ):
        registry.load("encoders", "theirs", Shape)
    sys.modules.pop("their_module")
    theirs("encoders", "SIDES = 4\ndef area(side): return side * side\n")
    assert registry.load("encoders", "theirs", Shape).area(3) == 9


def test_a_kind_of_target_comes_from_a_package_elsewhere(
    theirs: Callable[[str, str], None],
) -> None:
    """It is learnable, and what it says of itself is all that is asked."""
    with pytest.raises(ValidationError, match="unknown kind 'theirs'; there are: binary, "):
        TaskOptions(kind="theirs")
    theirs("models/tasks", "from pipeline.models.tasks.multiclass import *\n")
    assert TaskOptions(kind="theirs").task.ONE_CLASS
    sys.modules.pop("their_module")
    task_of.cache_clear()
    theirs("models/tasks", "ONE_CLASS = True\n")
    with pytest.raises(
        PipelineError, match=r"task 'theirs' \(their_module\) lacks FIGURES, FITTED"
    ):
        task_of("theirs")
