"""Whatever stands in a foreign file, its parser ends in a reject or a sentence, within bounds.

`FUZZ_SECONDS` and `FUZZ_FILES` say how long each parser is tried at most (`make fuzz`: a minute),
`FUZZ_SEED` with which files. Files of a run are the same as of the next, so that a red one can be
repeated, and a faster machine tries no more of them than were tried before.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

FILES = os.environ.get("FUZZ_FILES", "1000")
SECONDS = float(os.environ.get("FUZZ_SECONDS", "3"))
SEED = os.environ.get("FUZZ_SEED", "0")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(int(SECONDS) + 180)]


@pytest.mark.parametrize("target", TARGETS)
def test_a_damaged_file_ends_in_a_reject_or_a_sentence(target: str, inside: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.child", target, FILES, str(SECONDS), SEED]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        kept = shutil.copy("case", Path(os.environ.get("FUZZ_KEEP", ".")) / f"{target}.case")
        pytest.fail(f"exit code {done.returncode} on {Path(kept).absolute()}:\n{done.stderr}")
    print(done.stdout)
