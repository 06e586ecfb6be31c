"""The process that draws SVG, apart from the one that asks, because resvg can be made to crash.

Deep nesting overflows its stack, a large pattern aborts on allocation, and a few hundred bytes of
nested masks keep it busy for hours; none of these is an exception that a caller could catch. So
this script lives in a process of its own, limited in memory and in CPU seconds a picture, and dies
in its caller's stead. It reads requests from stdin until that closes, and answers on stdout.

First comes READY. Request: side, seconds, length (unsigned 32-bit integers), then the document in
UTF-8. Answer: length, then PNG; length 0 if resvg refused the document.
"""

from __future__ import annotations

import math
import resource
import struct
import sys

REQUEST = struct.Struct("<III")
ANSWER = struct.Struct("<I")
READY = b"+"
MEMORY_BYTES = 1 << 30


def main() -> None:
    import resvg_py

    _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(READY)
    sink.flush()
    while header := source.read(REQUEST.size):
        side, seconds, length = REQUEST.unpack(header)
        document = source.read(length).decode()
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime) + seconds)
        try:
            # System fonts differ between machines, so text that is not drawn as paths is left out.
            png = resvg_py.svg_to_bytes(
                svg_string=document, width=side, height=side, dpi=96, skip_system_fonts=True
            )
        except ValueError:
            png = b""
        sink.write(ANSWER.pack(len(png)) + png)
        sink.flush()


def _limit(kind: int, value: int) -> None:
    """The soft limit, which is the one that counts, under whatever hard limit there is."""
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


if __name__ == "__main__":
    main()
