"""What computes for a question stands under the instruction set of the rows that it is held to."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.core.machine.processor import HELD
from tests.cli.stamps import BATCH, stamps
from tests.dataset import HERE

__all__ = ["stamps"]
SAMPLE = f"stamps/{BATCH}/town/signs/stop@fr"
CODE = """
import sys
from types import ModuleType, SimpleNamespace
import pipeline.store
from pipeline.cli.main import app
from pipeline.core.machine.processor import instructions

def told(*_):
    assert "numpy" not in sys.modules
    sys.exit(f"under {instructions()}")

def stand_in(module, **names):
    sys.modules[module] = ModuleType(module)
    vars(sys.modules[module]).update(names)

# What computes stands aside: it would load NumPy before the command does.
stand_in("pipeline.search.question", question=told)
stand_in("pipeline.search.hits", search_samples=None)
stand_in("pipeline.search.contents", read_contents=None)
stand_in("pipeline.stages.verify", verify=told)
stand_in("pipeline.params", load=lambda: None)
pipeline.store.open_store = lambda **_: SimpleNamespace(trace=lambda *_: {})
sys.argv[0] = "pipeline"
app()
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the set is x86-64's")
@pytest.mark.parametrize(
    "arguments", [("search", "use_multilingual", "words"), ("trace", SAMPLE, "--verify")]
)
def test_a_command_computes_as_the_rows_were_made(stamps: Path, arguments: tuple[str, ...]) -> None:
    params = stamps / "params.yaml"
    params.write_text(
        yaml.safe_dump({**yaml.safe_load(params.read_text()), "instructions": "native"})
    )
    done = subprocess.run(
        [sys.executable, "-c", CODE, "store", *arguments],
        env={k: v for k, v in os.environ.items() if k not in HELD["avx2"]}
        | {"PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
    )
    assert done.stderr == "under avx2\n"
