"""What a computing process stands under: one thread, one instruction set, one cache of Numba's.

All are environment variables that libraries read when they are loaded, so they are set before
NumPy is imported and reach every worker: child processes inherit them, Ray's are given them.

One thread a worker, because two on two busy cores were measured 8 times slower. One instruction
set, because NumPy, OpenBLAS, MKL, torch and oneDNN otherwise take the widest that a processor has,
whose sums run in another order.

One cache, beside no output: what librosa has Numba compile takes 17 s the first time, and is then
there for every worker of this machine. Where it cannot be written, Numba looks for another place.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

from pipeline.core.errors import PipelineError
from pipeline.core.machine.processor import HELD, INSTRUCTIONS, check_instructions, instructions
from pipeline.core.parsing import yaml_loader

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
) | {"TOKENIZERS_PARALLELISM": "false"}

COMPILED = {
    "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR")
    or str(platformdirs.user_cache_path("multimodal-pipeline") / "numba")
}


def stated_instructions(path: Path = Path("params.yaml")) -> str:
    """The instruction set that a params.yaml states.

    Read by itself, since it must be known before NumPy is loaded. What is no choice, or no YAML,
    is left to `pipeline.params.load` to refuse, and read as if it were not there.
    """
    try:
        with yaml_loader(path.read_bytes(), str(path)) as loader:
            document = loader.get_single_data()
    except (OSError, PipelineError):
        return INSTRUCTIONS
    value = document.get("instructions") if isinstance(document, dict) else None
    return value if isinstance(value, str) and value in HELD else INSTRUCTIONS


def environment(instructions: str) -> dict[str, str]:
    """The variables of a process that computes.

    Raises
    ------
    PipelineError
        No such instruction set, or this processor has none.
    """
    check_instructions(instructions)
    return ONE_THREAD | COMPILED | HELD[instructions]


def establish(instructions: str) -> None:
    """Put this process, and those that it starts, under `environment`; see there.

    An instruction set comes too late once NumPy is loaded, unless it is the one that was asked for
    before.
    """
    wanted = environment(instructions)
    late = [name for name in HELD[instructions] if os.environ.get(name) != wanted[name]]
    if late and "numpy" in sys.modules:
        raise RuntimeError("establish() is called before NumPy is imported")
    for name in {name for held in HELD.values() for name in held} - set(wanted):
        os.environ.pop(name, None)
    os.environ.update(wanted)


def hold(made_with: str) -> None:
    """Put this process under the instruction set that rows were made with.

    Parameters
    ----------
    made_with:
        The name of their processor, as their function's fingerprint says it.

    Raises
    ------
    PipelineError
        This processor has no such set, or NumPy is loaded and computes with another.
    """
    wanted = made_with.split()[1]
    check_instructions(wanted)
    if wanted != instructions() and "numpy" in sys.modules:
        raise PipelineError(
            f"the rows were made under `instructions: {wanted}`, and this process computes under "
            f"{instructions()}, whose last bits differ: call pipeline.core.machine.environment."
            f"establish('{wanted}') before NumPy is imported, or ask on the command line"
        )
    establish(wanted)


def inherited() -> dict[str, str]:
    """What a worker that is no child of this process must be given to compute as this one does."""
    return (
        ONE_THREAD
        | COMPILED
        | {name: os.environ[name] for held in HELD.values() for name in held if name in os.environ}
    )
