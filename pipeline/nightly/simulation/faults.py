"""What is planted in nights, and how the outcome is known to be right."""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace

from pipeline.core.randomness import generator
from pipeline.nightly.journal import STATES
from pipeline.nightly.run import Tools

# Nights without a fault at the start, from which the contract is learnt.
CALM = 4
GOOD = ("promoted", "held")
NO_SPACE = "No space left on device"


class Crashed(BaseException):
    """As if the process were gone: nothing of the run is called after it."""


@dataclass(frozen=True)
class Fault:
    """What is planted in a night, and what is right then.

    Attributes
    ----------
    right:
        The outcomes.
    says:
        Regular expression of what people must be told, by the verdict or by a start that failed.
    fails:
        How often the night must be started anew.
    """

    name: str
    right: tuple[str, ...]
    says: str = ""
    fails: int = 0


NOTHING = Fault("nothing", ("nothing",), "Nothing new has landed")
CORRUPT = Fault("corrupt", ("bad_data",), "refused|rejected")
DUPLICATE = Fault("duplicate", ("nothing",), "is in already")
SCHEMA = Fault("schema", ("bad_data",), "column")
MISSING = Fault("missing", ("bad_data",), r"0\.0% have \w+; .* is usual")
# A small night has too little for the contract, which counts groups, and enough for drift.
DRIFTED = Fault("drifted", (*GOOD, "bad_data"), r"Other data than before|in \d.*% is usual")
POISONED = Fault("poisoned", ("bad_data",), r"agrees with \d+% of the labels")
DISK_FULL = Fault("disk full", GOOD, NO_SPACE, fails=1)
REMOTE_DOWN = Fault("remote down", GOOD, "push", fails=1)
WEBHOOK_HANGS = Fault("webhook hangs", GOOD)
CRASHES = tuple(Fault(f"crash before {state}", GOOD, fails=1) for state in STATES[1:])
PLANTED = (
    NOTHING,
    CORRUPT,
    DUPLICATE,
    SCHEMA,
    MISSING,
    DRIFTED,
    POISONED,
    DISK_FULL,
    REMOTE_DOWN,
    WEBHOOK_HANGS,
    *CRASHES,
)


def plan_faults(nights: int, seed: int) -> list[Fault]:
    """What is planted in which night: calm ones first, then faults and calm ones in turn."""
    rng = generator(seed, "nights", "faults")
    order = [PLANTED[place] for place in rng.permutation(len(PLANTED))]
    calm = Fault("", GOOD)
    planted: list[Fault] = [calm] * min(CALM, nights)
    while len(planted) < nights:
        planted += [order.pop(0)] if order and len(planted) % 4 else [calm]
    return planted


def failing(tools: Tools, fault: Fault) -> Tools:
    """The tools of a machine that fails as planted; what the fault does not touch is as it was."""

    def full() -> None:
        raise OSError(errno.ENOSPC, NO_SPACE)

    def crash(state: str) -> None:
        if fault.name == f"crash before {state}":
            raise Crashed

    return replace(tools, reached=crash, reproduce=full if fault == DISK_FULL else tools.reproduce)
