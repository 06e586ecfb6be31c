"""The figures against their goals: ratios within one run on one card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Line = tuple[str, float, str, bool]


def lines(results: dict[str, Any]) -> Iterator[Line]:
    """Figure, value, goal, and whether it is met; only of steps that ran."""
    steps = {name: one for name, one in results.items() if "failed" not in one}
    for name, one in steps.get("law", {}).items():
        yield f"law, {name}: rows that differ of {one['rows']}", *_most(one["differ"], 0)
        another = one["differs in another process"]
        yield f"law, {name}: differs in another process", *_most(another, 0)
    limits = {"float32": (1e-6, 1e-4), "bfloat16": (1e-2, 0.15), "float16": (1e-4, 0.015)}
    for name, one in steps.get("parity", {}).items():
        if isinstance(one, dict):
            cosine, largest = limits[name.split()[1]]
            yield f"{name}: 1 - cosine to the CPU", *_most(one["1 - cosine"], cosine)
            yield f"{name}: largest difference", *_most(one["largest difference"], largest)
    bare, ours = steps.get("bare", {}), steps.get("ours", {})
    for name, rate in bare.items():
        slow = bare.get(f"{name}, without cuDNN")
        if slow:
            yield f"{name}: cuDNN on ÷ off", *_least(rate / slow, 4)
    for name, rate in ours.items():
        kind, _, what = name.partition(", ")
        if kind == "encode":
            whole = what if what.startswith("bert") else f"{what} 256"
            if whole in bare:
                goal = 0.8 if what.startswith("bert") else 0.9
                yield f"{what}: encode ÷ bare", *_least(rate / bare[whole], goal)
        elif kind == "extract" and rate["GPU by NVML"]:
            ratio = rate["GPU by events"] / rate["GPU by NVML"]
            yield f"extract, {what}: GPU by events ÷ NVML", *_least(ratio, 0.9)
    whole, halves = (ours.get(f"extract, ray, {one}") for one in ("a whole card", "two halves"))
    if whole and halves:
        yield "two halves ÷ a whole card", *_least(halves["rows/s"] / whole["rows/s"], 0.95)
    if ours:
        yield "trees that executors made", *_most(ours["trees"], 1)
    training = steps.get("training")
    if training:
        yield "training differs the second time", *_most(training["differs the second time"], 0)
        name = "first loss, relative difference"
        yield f"training: {name}", *_most(training[name], 1e-3)


def text(results: dict[str, Any]) -> str:
    """Markdown."""
    rows = ["| figure | measured | wanted |  |", "| --- | --- | --- | --- |"]
    for name, value, goal, met in lines(results):
        rows.append(f"| {name} | {value:.3g} | {goal} | {'met' if met else '**missed**'} |")
    for name, one in results.items():
        if "failed" in one:
            rows.append(f"| step {name} | failed | {one['failed']} | **missed** |")
    return "\n".join(rows)


def missed(results: dict[str, Any]) -> list[str]:
    """Laws that do not hold, and steps that failed."""
    exact = ("law,", "training differs", "trees")
    broken = [name for name, _, _, met in lines(results) if not met and name.startswith(exact)]
    return broken + [f"step {name}" for name, one in results.items() if "failed" in one]


def _most(value: float, limit: float) -> tuple[float, str, bool]:
    return value, f"≤ {limit:g}", value <= limit


def _least(value: float, limit: float) -> tuple[float, str, bool]:
    return value, f"≥ {limit:g}", value >= limit
