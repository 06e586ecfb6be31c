"""Where there is no memory for a thread, work ends and says so: it does not wait without end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.toy import Square, function, put, rows

# A thread's stack takes eight megabytes of addresses.
READ = """
import resource
import pyarrow.parquet, pyarrow.dataset
from pathlib import Path
from pipeline.parts import manifest
from pipeline.parts.job import row_keys

pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 4 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
{read}
"""


@pytest.mark.parametrize(
    "read",
    [
        "manifest.read(Path('out'))",
        "[row_keys(path) for path in Path('out').glob('*.parquet')]",
    ],
)
def test_a_part_is_read_or_fails_at_once(inside: Path, read: str) -> None:
    put(Path("out"), Square(function()), rows(list(range(12))))
    command = [sys.executable, "-c", READ.format(read=read)]
    done = subprocess.run(command, timeout=60, capture_output=True, text=True, check=False)
    if done.returncode:
        assert "MemoryError: " in done.stderr.splitlines()[-1], done.stderr
