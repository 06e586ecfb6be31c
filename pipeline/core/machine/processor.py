"""The processor, as far as it changes a result's bits, and the instruction sets that can be held.

Named in every key: under `instructions: avx2` all x86-64 processors from 2013 on share one name,
because what computes there was measured to give one result; under `native` a processor shares its
name with its own kind alone. Math of torch on a CPU is MKL's, which chooses by the maker too.
"""

from __future__ import annotations

import functools
import os
import platform
from pathlib import Path

from pipeline.core.errors import PipelineError, unknown

# Of each library the switch that it documents; ONNX Runtime and OpenCV need none (their results
# were measured to be equal with and without AVX-512).
HELD: dict[str, dict[str, str]] = {
    "avx2": {
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        "OPENBLAS_CORETYPE": "Haswell",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_CBWR": "AVX2",
        # Numba compiles for the processor that it meets; no features but those of the name.
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "",
        # CTranslate2's, without MKL, which it takes on processors of one maker alone.
        "CT2_FORCE_CPU_ISA": "AVX2",
        "CT2_USE_MKL": "0",
    },
    "native": {},
}
INSTRUCTIONS = "avx2"
NEEDED = {"avx2": {"avx2", "fma", "f16c", "bmi1", "bmi2"}}
# Flags of Linux's /proc/cpuinfo by which libraries choose their kernels.
WIDE = ("avx", "amx", "fma", "f16c", "asimd", "sve", "sme", "bf16", "i8mm")
CPUINFO = Path("/proc/cpuinfo")


def check_instructions(name: str) -> None:
    """Whether this processor has an instruction set.

    Raises
    ------
    PipelineError
        There is no such choice, or the processor lacks it.
    """
    if name not in HELD:
        raise PipelineError(f"instructions: {unknown('instruction set', name, HELD)}")
    missing = sorted(NEEDED.get(name, set()) - flags())
    if missing:
        raise PipelineError(
            f"params.yaml asks for `instructions: {name}`, but this {platform.machine()} processor "
            f"has no {', '.join(missing)}; write `instructions: native`, whose results are those "
            f"of this kind of processor, or run on an x86-64 processor from 2013 or later"
        )


def instructions() -> str:
    """What this process was put under before its libraries were loaded: the name of a choice."""
    for name, held in HELD.items():
        if held and all(os.environ.get(switch) == value for switch, value in held.items()):
            return name
    return "native"


def processor(device: str | None = None) -> str:
    """The name of what computes in this process.

    Parameters
    ----------
    device:
        Where torch computes, `cpu` or `cuda`, if it does.

    Raises
    ------
    PipelineError
        The device is missing here, so that it cannot be named.
    """
    held = instructions()
    name = f"{platform.machine()} {held}"
    if held == "native":
        name += f" {_maker()} {' '.join(sorted(f for f in flags() if f.startswith(WIDE)))}"
    elif device == "cpu":
        name += f" {_maker()}"
    if device not in (None, "cpu"):
        from pipeline.core.machine.device import cuda_processor

        name += f" {cuda_processor(device)}"
    return name.rstrip()


def _maker() -> str:
    """Maker and family: `AuthenticAMD 25`, `GenuineIntel 6`; on Arm, implementer and part."""
    about = _about()
    names = ("vendor_id", "cpu family"), ("CPU implementer", "CPU part")
    return " ".join(about[name] for pair in names for name in pair if name in about)


def flags() -> frozenset[str]:
    """What this processor can do, as Linux names it; empty where there is no /proc."""
    about = _about()
    return frozenset((about.get("flags") or about.get("Features") or "").split())


@functools.cache
def _about() -> dict[str, str]:
    """The first processor's lines; none where there is no /proc."""
    if not CPUINFO.is_file():
        return {}
    first = CPUINFO.read_text(encoding="utf-8").strip().split("\n\n")[0]
    lines = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}
