"""The tensors of a PyTorch checkpoint in its first format (before 1.6), without PyTorch.

Such a file is a magic number, a version, the system's description, the pickled state (whose
tensors name their storages), the storages' names, and then each storage: its length as int64 and
its values. Importing torch for this takes 2.4 CPU-seconds a process. Nothing but tensors and
ordered dicts is unpickled.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

TYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def load(path: Path) -> dict[str, np.ndarray]:
    """Name → array; pickle.UnpicklingError if the file holds anything else."""
    with path.open("rb") as file:
        for _ in range(3):
            _Unpickler(file).load()
        state = _Unpickler(file).load()
        storages = {}
        types = {key: TYPES[kind] for _, (key, kind), *_ in state.values()}
        for key in _Unpickler(file).load():
            (count,) = np.frombuffer(file.read(8), "<i8")
            kind = types[key]
            storages[key] = np.frombuffer(file.read(int(count) * kind.itemsize), kind)
    return {
        name: np.lib.stride_tricks.as_strided(
            storages[key][offset:], size, [n * storages[key].itemsize for n in stride]
        )
        for name, (_, (key, _kind), offset, size, stride) in state.items()
    }


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in TYPES:
            return name
        raise pickle.UnpicklingError(f"a checkpoint of tensors holds no {module}.{name}")

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        _, kind, key, *_ = pid
        return str(key), str(kind)


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> tuple[Any, ...]:
    return "tensor", storage, offset, size, stride
