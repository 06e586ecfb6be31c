"""Whether an error says that the machine has too little memory, whoever raised it."""

from __future__ import annotations

# How libraries say it where they raise no MemoryError: the loader of shared libraries, those who
# start threads, torch, C++ and the kernel.
WORDS = (
    "cannot allocate memory",
    "failed to map segment",
    "can't start new thread",
    "failed to launch worker thread",
    "resource temporarily unavailable",
    "not enough memory",
    "out of memory",
    "bad allocation",
)


def is_shortage(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, is a want of memory."""
    while error is not None:
        if isinstance(error, MemoryError) or any(said in str(error).lower() for said in WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False
