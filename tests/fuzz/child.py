"""Read changed files, under limits: `python -m tests.fuzz.child TARGET FILES SECONDS SEED`.

The working directory gets `case`, the file that is being read, so that a crash leaves it there. The
exit code is 0 unless something other than a reject or a sentence came out.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random

from pipeline.core.errors import PipelineError, Rejected
from pipeline.core.machine.shortage import Shortage
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS

# What one file may make a process write, and take.
FILE_BYTES, CASE_SECONDS = 64 << 20, 30
# Bytes of a header, at each of which a file may end.
BEGINNINGS = 64


def _cases(examples: Sequence[bytes], random: Random) -> Iterator[bytes]:
    """Files that end inside their header, each of them, and then changed ones without end."""
    for example in examples:
        yield from (example[:count] for count in range(BEGINNINGS))
    while True:
        yield mutated(examples, random)


def main(name: str, files: int, seconds: float, seed: int) -> None:
    target, random, count = TARGETS[name], Random(f"{name} {seed}"), 0
    Path("work").mkdir()
    examples = target.examples(Path("work"))
    for example in examples:  # also loads what is loaded where it is used
        target.read(example, Path("work"))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + target.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    end = time.monotonic() + seconds
    for case in islice(_cases(examples, random), files):
        if count >= BEGINNINGS * len(examples) and time.monotonic() > end:
            break
        Path("case").write_bytes(case)
        signal.alarm(CASE_SECONDS)  # kills, since no handler could run inside a library
        try:
            target.read(case, Path("work"))
        except Shortage:
            raise
        except (Rejected, PipelineError):
            pass
        count += 1
    signal.alarm(0)
    print(f"{name}: {count} files")


if __name__ == "__main__":
    # What libraries say of damaged files is no fault.
    os.environ["PYTHONWARNINGS"] = "ignore"
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
