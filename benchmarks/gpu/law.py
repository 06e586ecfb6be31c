"""Whether a row's bytes depend on it alone: every place, other neighbours, load, other processes.

The reference is the row alone at the first place. What is counted is rows whose bytes differ: at
places drawn by chance among neighbours drawn by chance, and, with nothing beside, at every place.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from benchmarks.gpu.step import (
    Setting,
    lite0_options,
    run,
    side_of,
    speech_options,
    squares,
    text_options,
    texts,
    vit_options,
    waves,
)

ROWS = 64
# Rows of each configuration that are computed among others.
GOAL = 20_000
CHILD = "GPU_LAW_CHILD"


def measure(setting: Setting) -> dict[str, Any]:
    configurations = list(_configurations(setting))
    alone = [[encode([row])[0].tobytes() for row in rows] for _, encode, rows, _ in configurations]
    digests = {
        name: hashlib.sha256(b"".join(values)).hexdigest()
        for (name, *_), values in zip(configurations, alone, strict=True)
    }
    if os.environ.get(CHILD):
        return digests
    counts = {name: {"rows": 0, "differ": 0} for name in digests}
    goal = 1 if setting.quick else GOAL // 4
    under_load = [_busy(), _beside(), _full()] if setting.on_card else []
    for circumstance in (None, *under_load):
        with circumstance or nullcontext():
            for (name, encode, rows, room), values in zip(configurations, alone, strict=True):
                tried, differ = _among_others(encode, rows, room, values, goal)
                if circumstance is None:
                    tried += room
                    differ += _at_every_place(encode, rows, room, values[0])
                counts[name]["rows"] += tried
                counts[name]["differ"] += differ
    command = [sys.executable, "-m", "benchmarks.gpu.law", "--work", str(setting.work)]
    command += ["--device", setting.device, *(["--quick"] if setting.quick else [])]
    told = subprocess.run(
        command, env={**os.environ, CHILD: "1"}, capture_output=True, text=True, check=True
    )
    again = json.loads(told.stdout.splitlines()[-1])
    return {
        name: {**counts[name], "differs in another process": int(again[name] != digest)}
        for name, digest in digests.items()
    }


def _configurations(
    setting: Setting,
) -> Iterator[tuple[str, Callable[[list[np.ndarray]], np.ndarray], list[np.ndarray], int]]:
    from pipeline.encoders import efficientnet_lite0, speech, transformer, vision

    count = 2 if setting.quick else ROWS
    for precision in setting.precisions:
        for size in setting.sizes([64, 256], [2]):
            options = lite0_options(setting, precision, size)
            encode = _encode(efficientnet_lite0, options)
            yield f"lite0 {precision} {size}", encode, list(squares(count)), size
        options = text_options(setting, precision)
        rows = transformer.prepare(texts(count, 64), options)
        room = transformer.batch(rows[0], options)[1]
        yield f"bert {precision} 64 tokens", _encode(transformer, options), rows, room
    precision = setting.precisions[-1]
    options = vit_options(setting, precision)
    rows = list(squares(count, side_of(setting, "vit")))
    yield f"vit {precision}", _encode(vision, options), rows, options.batch_size
    options = speech_options(setting, precision)
    rows = speech.prepare(waves(count, options), options)
    room = speech.batch(rows[0], options)[1]
    yield f"speech {precision} 1 s", _encode(speech, options), rows, room


def _encode(module: Any, options: Any) -> Callable[[list[np.ndarray]], np.ndarray]:
    encoder = module.Encoder(options)
    return lambda rows: encoder.encode(rows)[0]


def _among_others(
    encode: Callable[[list[np.ndarray]], np.ndarray],
    rows: list[np.ndarray],
    room: int,
    alone: list[bytes],
    goal: int,
) -> tuple[int, int]:
    """At least `goal` rows computed among others, and how many of them came out differently."""
    rng = np.random.default_rng(0)
    extremes = [np.zeros_like(rows[0]), np.full_like(rows[0], rows[0].max())]
    tried = differ = 0
    while tried < goal:
        filled = int(rng.integers(1, room + 1))
        chosen = rng.integers(0, len(rows) + len(extremes), filled)
        values = encode([(rows + extremes)[i] for i in chosen])
        for i, value in zip(chosen, values, strict=True):
            if i < len(rows):
                tried, differ = tried + 1, differ + (value.tobytes() != alone[i])
    return tried, differ


def _at_every_place(
    encode: Callable[[list[np.ndarray]], np.ndarray],
    rows: list[np.ndarray],
    room: int,
    alone: bytes,
) -> int:
    """How often the first row came out differently behind others."""
    values = (encode([rows[1]] * place + [rows[0]])[place] for place in range(room))
    return sum(value.tobytes() != alone for value in values)


@contextmanager
def _busy() -> Iterator[None]:
    """Another stream multiplies meanwhile."""
    import torch

    over = threading.Event()

    def multiply() -> None:
        with torch.cuda.stream(torch.cuda.Stream()):
            matrix = torch.ones((4096, 4096), dtype=torch.bfloat16, device="cuda")
            while not over.is_set():
                matrix @ matrix
                torch.cuda.current_stream().synchronize()

    thread = threading.Thread(target=multiply)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _beside() -> Iterator[None]:
    """Another process multiplies meanwhile."""
    code = (
        "import torch; m = torch.ones((4096, 4096), dtype=torch.bfloat16, device='cuda');\n"
        "while True: m @ m; torch.cuda.synchronize(); print(flush=True)"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    other.stdout.readline()  # it has begun
    reader = threading.Thread(target=other.stdout.read)
    reader.start()
    try:
        yield
    finally:
        other.kill()
        other.wait()
        reader.join()


@contextmanager
def _full() -> Iterator[None]:
    """Nine tenths of the free memory are taken."""
    import torch

    held = torch.empty(int(0.9 * torch.cuda.mem_get_info()[0]), dtype=torch.uint8, device="cuda")
    yield
    del held
    torch.cuda.empty_cache()


if __name__ == "__main__":
    run(measure)
