"""What a machine falls short of is its own fault and never a row's: the one place that decides.

A row refused for want of memory would stay refused on a machine that has it.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.core.errors import PipelineError, Rejected

# By name, since their libraries need not be loaded here: torch's and DuckDB's.
_NAMES = frozenset({"OutOfMemoryError", "AcceleratorError", "OutOfMemoryException"})
# Codes for want of memory: cv2.error's, and LibsndfileError's.
_CODES = frozenset({("error", -4), ("LibsndfileError", 17)})
# Exceptions of these kinds say it in words alone, as torch, ONNX Runtime and CPython do.
_KINDS = frozenset({"RuntimeError", "RuntimeException", "Fail", "EPFail", "SystemError"})
_WORDS = re.compile(
    "allocate memory|out of memory|not enough memory|bad_alloc|alloc_failed|malloc|"
    "start new thread|too many open files|no space left|"
    "without (an exception set|exception set|setting an exception)",
    re.IGNORECASE,
)


class Shortage(PipelineError):
    """The machine fell short. The part is done again by another worker, as if its own had died."""

    # A part on which so many workers fell short stops the stage.
    attempts = 3


class DeviceFailure(Shortage):
    """A GPU's library raised: no fault of a row, and whatever it computes next may be wrong."""

    attempts = 2


def is_shortage(error: BaseException) -> bool:
    """Whether memory, a file, a thread or an accelerator failed.

    So says every OSError, and every ImportError: what could be imported when the key was made is
    missing for want of memory, if not of the file.
    """
    name = type(error).__name__
    return (
        isinstance(error, Shortage | MemoryError | OSError | ImportError)
        or name in _NAMES
        or (name, getattr(error, "code", None)) in _CODES
        or (name in _KINDS and _WORDS.search(str(error)) is not None)
    )


@contextmanager
def as_shortage(stage: str) -> Iterator[None]:
    """Turn what is the machine's fault into a Shortage; let all else through."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        if not is_shortage(error):
            raise
        raise Shortage(
            f"{stage}: this machine fell short ({type(error).__name__}: {error}). Finished parts "
            f"stand; free what it lacks or use fewer workers, and run again."
        ) from error


@contextmanager
def as_device_failure(stage: str) -> Iterator[None]:
    """On a GPU, turn whatever is no refusal and no mistake of the user into a DeviceFailure.

    CUDA's libraries have no type of error of their own, and the words are many.
    """
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        if isinstance(error, Rejected):
            raise
        raise DeviceFailure(
            f"{stage}: the GPU failed ({type(error).__name__}: {error}). Finished parts stand; no "
            f"row was refused for it. Look for other users of its memory, raise "
            f"execution.gpus_per_worker or lower the batch, and run again."
        ) from error


def prove_room(size: int) -> None:
    """Before a file is called damaged: prove that so many bytes of memory are to be had.

    Libraries say `damaged`, or nothing, where an allocation failed too.

    Raises
    ------
    OSError
        They are not, so nothing is known about the file.
    """
    mmap.mmap(-1, size).close()


# How libraries say it where they raise no MemoryError: the loader of shared libraries, those who
# start threads, torch, C++ and the kernel.
_MEMORY = (
    "cannot allocate memory",
    "failed to map segment",
    "can't start new thread",
    "failed to launch worker thread",
    "resource temporarily unavailable",
    "not enough memory",
    "out of memory",
    "bad allocation",
)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, is a want of memory."""
    while error is not None:
        if isinstance(error, MemoryError) or any(words in str(error).lower() for words in _MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False
