"""Plug-ins keep the Protocols of their folders: mypy sees types, and loading sees what is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core import registry
from pipeline.models.fusion import FusionKind
from pipeline.models.tasks import Task
from pipeline.models.towers import TowerKind

CONTRACTS = {"models/fusion": FusionKind, "models/tasks": Task, "models/towers": TowerKind}
HERE = Path(__file__).parents[1]


@pytest.mark.parametrize("folder", CONTRACTS)
def test_every_plug_in_has_what_its_contract_names(folder: str) -> None:
    for name in registry.names(folder):
        registry.load(folder, name, CONTRACTS[folder])


@pytest.mark.slow
def test_every_plug_in_is_typed_as_its_contract_says(tmp_path: Path) -> None:
    lines = ["from pipeline.models import pooling"]
    for folder, contract in CONTRACTS.items():
        package, kept = f"pipeline.{folder.replace('/', '.')}", contract.__name__
        lines.append(f"from {package} import {kept}")
        for name in registry.names(folder):
            lines.append(f"from {package} import {name} as {kept}_{name}")
            lines.append(f"kept_{kept}_{name}: {kept} = {kept}_{name}")
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text("\n".join(lines))
    wrong.write_text("\n".join([*lines, "broken: TowerKind = pooling"]))
    for path, code in ((right, 0), (wrong, 1)):
        command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(path)]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout
    assert "Found 1 error" in done.stdout
    assert 'variable has type "TowerKind"' in done.stdout
