"""What comes of cleaning a file in processes that have less and less memory.

A script of its own, since what an earlier decoding has freed would serve the next.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

# Loading them crashes where memory is short.
import cv2  # noqa: F401
import scipy.fft  # noqa: F401
import soundfile  # noqa: F401
import soxr  # noqa: F401

from pipeline.core.machine.shortage import is_shortage
from pipeline.core.registry import load

# Beyond what the process has.
MEGABYTES = (0, 0.5, 2, 4, 6, 8, 12, 16, 24, 1500)


def main(modality: str, path: Path) -> None:
    """Print a list: for each size of memory what cleaning gave, or the class of its error."""
    data, module = path.read_bytes(), load(f"modalities/{modality}", "clean")
    options = module.Options()
    answers = []
    for megabytes in MEGABYTES:
        source, sink = os.pipe()
        if not os.fork():
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + int(megabytes * 2**20)
            resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
            try:
                answer = repr(module.clean(data, "", options))
            except Exception as error:
                answer = "shortage" if is_shortage(error) else repr(error)
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
            os.write(sink, answer.encode()[:4000])
            os._exit(0)
        os.close(sink)
        with os.fdopen(source) as answer_of_child:
            answers.append(answer_of_child.read())
        os.wait()
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
