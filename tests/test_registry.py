from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from pipeline import registry, sources
from pipeline.errors import PipelineError


def test_names_are_the_files_of_the_folder() -> None:
    folder = Path(registry.__file__).parent / "encoders"
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


def test_a_third_party_adds_its_own_by_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_encoder.py").write_text("MODALITY = 'image'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("theirs", "their_encoder", "pipeline.encoders")
    monkeypatch.setattr(registry, "entry_points", lambda: EntryPoints([point]))
    registry._all_points.cache_clear()
    registry._points.cache_clear()
    assert "theirs" in registry.names("encoders")
    assert registry.load("encoders", "theirs").MODALITY == "image"
    sys.modules.pop("their_encoder")
    registry._all_points.cache_clear()
    registry._points.cache_clear()
