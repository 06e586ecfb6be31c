"""The figures against their goals: ratios within one run on one card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Line = tuple[str, float, str, bool]
Figures = dict[str, Any]


def lines(results: Figures) -> Iterator[Line]:
    """Figure, value, goal, and whether it is met; only of steps that ran."""
    steps = {name: one for name, one in results.items() if "failed" not in one}
    bare, ours = steps.get("bare", {}), steps.get("ours", {})
    yield from _law(steps.get("law", {}))
    yield from _parity(steps.get("parity", {}))
    yield from _encoders(bare, ours)
    yield from _stages(bare, ours)
    yield from _training(steps.get("training", {}))
    yield from _kinds(steps.get("kinds", {}))
    peer, whole = steps.get("peer", {}).get("rows/s"), ours.get("extract, lite0, a whole card")
    if peer and whole:
        yield "Ray Data's map_batches ÷ ours, lite0", *_most(peer / whole["rows/s"], 0.5)


def _law(law: Figures) -> Iterator[Line]:
    for name, one in law.items():
        yield f"law, {name}: rows that differ of {one['rows']}", *_most(one["differ"], 0)
        another = one["differs in another process"]
        yield f"law, {name}: differs in another process", *_most(another, 0)


def _parity(parity: Figures) -> Iterator[Line]:
    limits = {"float32": (1e-6, 1e-4), "bfloat16": (1e-2, 0.15), "float16": (1e-4, 0.015)}
    for name, one in parity.items():
        if isinstance(one, dict):
            cosine, largest = limits[name.split()[1]]
            yield f"{name}: 1 - cosine to the CPU", *_most(one["1 - cosine"], cosine)
            yield f"{name}: largest difference", *_most(one["largest difference"], largest)


def _encoders(bare: Figures, ours: Figures) -> Iterator[Line]:
    for name, rate in bare.items():
        slow = bare.get(f"{name}, without cuDNN")
        if slow:
            yield f"{name}: cuDNN on ÷ off", *_least(rate / slow, 4)
    for name, rate in ours.items():
        kind, _, what = name.partition(", ")
        alone = bare.get(f"{what} 256" if what.startswith("lite0") else what)
        if kind == "encode" and alone:
            goal = 0.8 if what.startswith("bert") else 0.9
            yield f"{what}: encode ÷ bare", *_least(rate / alone, goal)
        elif kind == "one text at a time":
            many = ours.get(f"encode, bert {what} 64 tokens")
            if many:
                yield f"bert {what}: encode ÷ one text at a time", *_least(many / rate, 20)


def _stages(bare: Figures, ours: Figures) -> Iterator[Line]:
    precision = "bfloat16" if "vit bfloat16" in bare else "float32"
    alone = {
        "lite0": bare.get(f"lite0 {precision} 256"),
        "vit": bare.get(f"vit {precision}"),
        "bert": bare.get(f"bert {precision} 64 tokens"),
    }
    stages = {
        tuple(name.split(", ")[1:]): one
        for name, one in ours.items()
        if name.startswith("extract, ")
    }
    for (kind, where), one in stages.items():
        limit = alone[kind]
        if where == "a whole card" and limit and kind == "vit":
            yield "extract, vit ÷ bare", *_least(one["rows/s"] / limit, 0.8)
        elif where == "a whole card" and limit:
            least = min(limit, ours[f"feed, {kind}"])
            yield f"extract, {kind} ÷ least of bare and feed", *_least(one["rows/s"] / least, 0.85)
        if where == "a whole card":
            yield f"extract, {kind}: rows that are no padding", *_least(one["filled"], 0.95)
        if busy := one["GPU by NVML"]:
            yield (
                f"extract, {kind}, {where}: GPU by events ÷ NVML",
                *_between(one["GPU by events"] / busy, 0.9, 1.1),
            )
            if where == "a whole card":
                holder = one["holder ms a row"]
                yield f"extract, {kind}: holder, CPU-ms a row", *_most(holder, 0.04)
                if kind == "vit":
                    yield "extract, vit: GPU busy", *_least(busy, 0.8)
    whole, halves = (stages.get(("lite0", one)) for one in ("a whole card", "two halves"))
    if whole and halves:
        yield "two halves ÷ a whole card", *_least(halves["rows/s"] / whole["rows/s"], 0.95)
        yield "two halves: bytes differ", *_most(whole["tree"] != halves["tree"], 0)
    if stages:
        yield "extract: rows rejected", *_most(sum(one["rejected"] for one in stages.values()), 0)


def _training(training: Figures) -> Iterator[Line]:
    if not training:
        return
    for name in ("differs the second time", "differs after a kill"):
        yield f"training {name}", *_most(training[name], 0)
    name = "first loss, relative difference"
    yield f"training: {name}", *_most(training[name], 1e-3)
    rate = training["examples/s"]
    resident = rate / training["examples/s of resident batches"]
    yield "training ÷ resident batches", *_least(resident, 0.9)
    yield "training ÷ one CPU thread", *_least(rate / training["examples/s on one CPU thread"], 5)


def _kinds(kinds: Figures) -> Iterator[Line]:
    for name, one in kinds.items():
        again, near = one["differs the second time"], one["first loss, relative difference"]
        yield f"training differs the second time, {name}", *_most(again, 0)
        yield f"training: first loss, relative difference, {name}", *_most(near, 1e-3)


def text(results: Figures) -> str:
    """Markdown."""
    rows = ["| figure | measured | wanted |  |", "| --- | --- | --- | --- |"]
    for name, value, goal, met in lines(results):
        rows.append(f"| {name} | {value:.3g} | {goal} | {'met' if met else '**missed**'} |")
    for name, one in results.items():
        if "failed" in one:
            rows.append(f"| step {name} | failed | {one['failed']} | **missed** |")
        if "left out" in one:
            rows.append(f"| step {name} | left out | {one['left out']} |  |")
    return "\n".join(rows)


def missed(results: Figures) -> list[str]:
    """Laws that do not hold, and steps that failed."""
    exact = ("law,", "training differs", "two halves: bytes", "extract: rows rejected")
    broken = [name for name, _, _, met in lines(results) if not met and name.startswith(exact)]
    return broken + [f"step {name}" for name, one in results.items() if "failed" in one]


def _most(value: float, limit: float) -> tuple[float, str, bool]:
    return value, f"≤ {limit:g}", value <= limit


def _least(value: float, limit: float) -> tuple[float, str, bool]:
    return value, f"≥ {limit:g}", value >= limit


def _between(value: float, least: float, most: float) -> tuple[float, str, bool]:
    return value, f"{least:g} to {most:g}", least <= value <= most
