"""The tensors of a PyTorch checkpoint in its first format (before 1.6), without PyTorch.

Such a file is a magic number, a version, the system's description, the pickled state (whose
tensors name their storages), the storages' names, and then each storage: its length as int64 and
its values. Importing torch for this takes 2.4 CPU-seconds a process. Nothing but tensors and
ordered dicts is unpickled, and no view of a storage reaches beyond it.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipeline.core.errors import PipelineError

TYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
# What a damaged pickle may raise.
_DAMAGE = (
    pickle.UnpicklingError,
    struct.error,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def load(path: Path) -> dict[str, np.ndarray]:
    """Name → array, read-only.

    Raises
    ------
    PipelineError
        The file is damaged, or holds anything else.
    """
    file = io.BytesIO(path.read_bytes())
    try:
        return _load(file)
    except _DAMAGE as error:
        raise PipelineError(
            f"{path} is no whole checkpoint of tensors ({error or type(error).__name__}): install "
            f"the package that it comes from again"
        ) from None


def _load(file: io.BytesIO) -> dict[str, np.ndarray]:
    for _ in range(3):
        _Unpickler(file).load()
    state = _Unpickler(file).load()
    storages = {}
    types = {key: TYPES[kind] for _, (key, kind), *_ in state.values()}
    for key in _Unpickler(file).load():
        (count,) = np.frombuffer(file.read(8), "<i8")
        storages[key] = np.frombuffer(file.read(int(count) * types[key].itemsize), types[key])
    return {
        name: _view(storages[key], offset, size, stride)
        for name, (_, (key, _kind), offset, size, stride) in state.items()
    }


def _view(storage: np.ndarray, offset: int, size: Any, stride: Any) -> np.ndarray:
    """Part of a storage; offset and strides in values. ValueError if it reaches beyond."""
    if not storage.size and all(size):  # of no bytes NumPy takes any view to be within
        raise ValueError("a tensor of a storage without values")
    return np.ndarray(
        size,
        storage.dtype,
        storage,
        offset * storage.itemsize,
        [step * storage.itemsize for step in stride],
    )


# The one in Python, since that in C takes gigabytes for a memo's number that a few bytes claim.
class _Unpickler(pickle._Unpickler):
    # It takes what a bytearray claims, too, and no checkpoint holds one.
    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)
    del dispatch[pickle.BYTEARRAY8[0]]

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
