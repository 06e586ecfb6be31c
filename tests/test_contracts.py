"""Plug-ins keep the Protocols of their folders: mypy sees types, and loading sees what is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core import registry
from pipeline.core.errors import PipelineError
from pipeline.encoders import EncoderKind
from pipeline.execution.executors import ExecutorKind
from pipeline.modalities import (
    Augmentation,
    Cleaning,
    Content,
    Examples,
    Modality,
    Showing,
    has_part,
    modalities,
)
from pipeline.models.fusion import FusionKind
from pipeline.models.tasks import Task
from pipeline.models.towers import TowerKind
from pipeline.reporting.strips import Stripping
from pipeline.sources import Fetchable, SourceKind

FOLDERS = {
    "encoders": EncoderKind,
    "execution/executors": ExecutorKind,
    "modalities": Modality,
    "models/fusion": FusionKind,
    "models/tasks": Task,
    "models/towers": TowerKind,
    "sources": SourceKind,
}
PARTS = {
    "augment": Augmentation,
    "clean": Cleaning,
    "content": Content,
    "examples": Examples,
    "show": Showing,
    "strip": Stripping,
}
# (folder, name, Protocol) of every plug-in and of every part of a modality.
PLUGINS = [
    *((folder, name, kind) for folder, kind in FOLDERS.items() for name in registry.names(folder)),
    *(
        (f"modalities/{modality}", name, kind)
        for modality in modalities()
        for name, kind in PARTS.items()
        if name not in ("show", "strip") or has_part(modality, name)
    ),
    *(("sources", name, Fetchable) for name in ("hedgewars", "klettres", "stamps")),
]
HERE = Path(__file__).parents[1]


@pytest.mark.parametrize(("folder", "name", "contract"), PLUGINS)
def test_every_plug_in_has_what_its_contract_names(folder: str, name: str, contract: type) -> None:
    registry.load(folder, name, contract)


@pytest.mark.parametrize(
    ("folder", "name", "contract", "lacks"),
    [
        ("encoders", "_checkpoint", EncoderKind, "COST_MS, Encoder, MODALITY, Options, shape, w"),
        ("sources", "_deb", SourceKind, "Options, scan"),
        ("sources", "folder", Fetchable, "FetchOptions, fetch"),
        ("modalities/image", "fit", Augmentation, "Options, apply, draw"),
        ("modalities/image", "fit", Content, "pack, unpack"),
        ("execution/executors", "__init__", ExecutorKind, "executor"),
    ],
)
def test_loading_names_what_a_plug_in_lacks(
    folder: str,
    name: str,
    contract: type,
    lacks: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "names", lambda folder: [name, "image"])
    with pytest.raises(PipelineError, match=f"lacks {lacks}.*{contract.__name__} says"):
        registry.load(folder, name, contract)


@pytest.mark.slow
def test_every_plug_in_is_typed_as_its_contract_says(tmp_path: Path) -> None:
    lines = ["from pipeline.core import nested"]
    for place, (folder, name, contract) in enumerate(PLUGINS):
        package, _, module = registry.locate(folder, name).rpartition(".")
        lines += [
            f"from {contract.__module__} import {contract.__name__}",
            f"from {package} import {module} as plugin_{place}",
            f"kept_{place}: {contract.__name__} = plugin_{place}",
        ]
    wrong = [
        f"broken_{contract.__name__}: {contract.__name__} = nested"
        for contract in {contract for *_, contract in PLUGINS}
    ]
    path = tmp_path / "kept.py"
    path.write_text("\n".join([*lines, *wrong]))
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(path)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    told = re.findall(r"kept\.py:(\d+): error: (.*)", done.stdout)
    assert [int(line) for line, _ in told] == [len(lines) + 1 + i for i in range(len(wrong))]
    assert all(error.startswith("Incompatible types in assignment") for _, error in told)
    assert done.stdout.count(": error: ") == len(wrong), done.stdout
