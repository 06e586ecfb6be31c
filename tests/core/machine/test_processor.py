"""One result on every processor of an architecture, as far as libraries let it be held."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.machine import device
from pipeline.core.machine import processor as module
from pipeline.core.machine.environment import (
    COMPILED,
    ONE_THREAD,
    environment,
    establish,
    inherited,
    stated_instructions,
)
from pipeline.core.machine.processor import HELD, check_instructions, processor
from pipeline.modalities.text.speech import WEIGHTS
from pipeline.params import load, parse
from pipeline.params.document import read
from pipeline.parts.fingerprint import fingerprint
from pipeline.stages.check import check_project
from pipeline.stages.plans.extract import _torch_device
from tests.encoders import examples

HERE = Path(__file__).parents[3]
SWITCHES = tuple(HELD["avx2"])
AVX512 = "AVX512F,AVX512VL,AVX512BW,AVX512DQ,AVX512CD"
# What narrows or widens a library's choice from outside, beside what is held.
OUTSIDE = {
    "openblas": {"OPENBLAS_CORETYPE": "SkylakeX"},
    "torch": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "mkl": {"MKL_CBWR": "COMPATIBLE", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "numpy": {"NPY_DISABLE_CPU_FEATURES": "AVX512_ICL AVX512_SPR"},
    "ctranslate2": {"CT2_FORCE_CPU_ISA": "GENERIC", "CT2_USE_MKL": "1"},
    "opencv": {"OPENCV_CPU_DISABLE": "AVX512_SKX", "OPENCV_IPP": "disabled"},
    "glibc": {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=" + ",-".join(["", *AVX512.split(",")])[1:]},
}
QEMU = shutil.which("qemu-x86_64")

slow = pytest.mark.slow
x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="these sets are x86-64's")


def child(*arguments: str, before: tuple[str, ...] = (), **changes: str) -> dict[str, object]:
    clean = {k: v for k, v in os.environ.items() if k not in SWITCHES}
    done = subprocess.run(
        [*before, sys.executable, "-m", "tests.computed", *arguments],
        env=clean | ONE_THREAD | changes,
        cwd=HERE,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


@cache
def held() -> dict[str, object]:
    return child("avx2")


def changed(**switches: str) -> list[str]:
    """What comes out otherwise under these."""
    computed = child("avx2", **switches)
    return [name for name in held() if computed[name] != held()[name]]


@slow
@x86
def test_the_libraries_take_what_is_held() -> None:
    chosen = child("avx2", "chosen", OPENBLAS_CORETYPE="SkylakeX", ATEN_CPU_CAPABILITY="avx512")
    assert chosen["openblas"] == ["Haswell"]
    assert chosen["torch"] == "AVX2"
    assert not {"X86_V4", "AVX512_ICL", "AVX512_SPR"} & set(chosen["numpy"])  # type: ignore[call-overload]
    assert chosen["environment"] == HELD["avx2"]


@slow
@x86
def test_what_is_held_does_not_follow_switches_from_outside() -> None:
    """All at once, since all is computed anew; each library's own say whose it was."""
    together = {name: value for each in OUTSIDE.values() for name, value in each.items()}
    assert not changed(**together), {library: changed(**each) for library, each in OUTSIDE.items()}


@slow
@x86
@pytest.mark.skipif(
    not all(map(find_spec, ("faster_whisper", WEIGHTS))),
    reason="faster-whisper or its weights are not installed",
)
def test_what_is_heard_does_not_follow_switches_from_outside() -> None:
    outside = OUTSIDE["ctranslate2"]
    held, otherwise, free = (
        child("avx2", "heard"),
        child("avx2", "heard", **outside),
        child("free", "heard", **outside),
    )
    assert held == otherwise != free


@slow
@x86
@pytest.mark.skipif(QEMU is None, reason="qemu-user is not installed")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("cpu", ["Haswell", "EPYC-Rome"])
def test_a_processor_without_avx512_computes_the_same(cpu: str) -> None:
    """Emulated, so that what no switch reaches (ONNX Runtime, libm) sees a lesser processor too."""
    found = child("free", before=(str(QEMU), "-cpu", cpu))
    assert [name for name in held() if found[name] != held()[name]] == []


def about(monkeypatch: pytest.MonkeyPatch, flags: str, **lines: str) -> None:
    told = {"flags": flags, "vendor_id": "AuthenticAMD", "cpu family": "25", **lines}
    monkeypatch.setattr(module, "_about", lambda: told)
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")


def put_under(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for switch in SWITCHES:
        monkeypatch.delenv(switch, raising=False)
    for switch, value in HELD[name].items():
        monkeypatch.setenv(switch, value)


NARROW = "fpu avx avx2 fma f16c bmi1 bmi2"
WIDE = f"{NARROW} avx512f avx512vl"


def test_held_processors_share_a_name_and_native_ones_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = {}
    for name in HELD:
        put_under(monkeypatch, name)
        for flags in (NARROW, WIDE):
            about(monkeypatch, flags)
            names[name, flags] = processor()
    assert names["avx2", NARROW] == names["avx2", WIDE] == "x86_64 avx2"
    assert names["native", NARROW] == "x86_64 native AuthenticAMD 25 avx avx2 f16c fma"
    assert names["native", WIDE] != names["native", NARROW]


def test_torch_on_a_cpu_is_known_by_its_maker(monkeypatch: pytest.MonkeyPatch) -> None:
    put_under(monkeypatch, "avx2")
    about(monkeypatch, WIDE)
    assert processor("cpu") == "x86_64 avx2 AuthenticAMD 25"
    about(monkeypatch, WIDE, vendor_id="GenuineIntel", **{"cpu family": "6"})
    assert processor("cpu") == "x86_64 avx2 GenuineIntel 6"


def test_a_gpu_is_named_after_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    put_under(monkeypatch, "avx2")
    about(monkeypatch, WIDE)
    monkeypatch.setattr(device, "cuda_processor", lambda name: "sm_90 132 SMs")
    assert processor("cuda") == "x86_64 avx2 sm_90 132 SMs"
    assert fingerprint("f", [], {}, device="cuda").processor == processor("cuda")
    assert fingerprint("f", [], {}, device="cuda", processor="another").processor == "another"


def test_the_key_holds_the_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for name in HELD:
        put_under(monkeypatch, name)
        digests.append(fingerprint("f", [], {}).digest)
    assert len(set(digests)) == len(HELD)


@pytest.mark.parametrize(
    ("encoder", "changes", "device"),
    [
        ("hashing", {}, None),
        ("minilm", {}, None),
        ("minilm", {"backend": "torch"}, "cpu"),
        ("efficientnet_lite0", {"backend": "torch", "device": "cuda"}, "cuda"),
    ],
)
def test_where_an_encoder_uses_torch(
    encoder: str, changes: dict[str, str], device: str | None
) -> None:
    given = examples.options(encoder).model_dump() | changes
    assert _torch_device(type(examples.options(encoder))(**given)) == device


def test_a_missing_instruction_set_is_told(monkeypatch: pytest.MonkeyPatch, inside: Path) -> None:
    about(monkeypatch, "fpu avx")
    wrong = (
        r"`instructions: avx2`.*has no avx2, bmi1, bmi2, f16c, fma; write `instructions: native`"
    )
    with pytest.raises(PipelineError, match=wrong):
        check_instructions("avx2")
    with pytest.raises(PipelineError, match=wrong):
        environment("avx2")
    with pytest.raises(PipelineError, match=wrong):
        check_project(load(HERE / "params.yaml"))
    check_instructions("native")
    with pytest.raises(PipelineError, match=r"unknown instruction set 'sse'.*avx2, native"):
        check_instructions("sse")


def test_params_name_it_and_refuse_others() -> None:
    document = read(HERE / "params.yaml")
    assert stated_instructions(HERE / "params.yaml") == parse(document).instructions == "avx2"
    for wrong in ("auto", ["avx2"], 2):
        with pytest.raises(PipelineError, match="instructions: unknown instruction set"):
            parse(document | {"instructions": wrong})


def test_a_worker_is_given_what_this_process_has(monkeypatch: pytest.MonkeyPatch) -> None:
    put_under(monkeypatch, "avx2")
    assert inherited() == environment("avx2") == ONE_THREAD | COMPILED | HELD["avx2"]
    put_under(monkeypatch, "native")
    assert inherited() == environment("native") == ONE_THREAD | COMPILED


def test_it_is_refused_once_numpy_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    put_under(monkeypatch, "avx2")
    establish("avx2")
    put_under(monkeypatch, "native")
    with pytest.raises(RuntimeError, match="before NumPy"):
        establish("avx2")
