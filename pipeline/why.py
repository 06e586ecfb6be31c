"""Why a stage has work: what differs between the function that made its output and today's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.fingerprint import Fingerprint
from pipeline.leaves import leaves


def differences(before: Mapping[str, Any], now: Fingerprint) -> list[str]:
    """One sentence for each thing that changed, parameters with their old and new value.

    Parameters
    ----------
    before:
        The fingerprint that stands in the manifest; empty where there is none.
    """
    if not before:
        return ["nothing was made here yet"]
    return [
        *_values("parameter", before.get("parameters", {}), now.parameters),
        *_names("module", before.get("code", {}), now.code),
        *_names("weights", before.get("weights", {}), now.weights),
        *_values("library", before.get("libraries", {}), now.libraries),
        *_values("Python", {"version": before.get("python")}, {"version": now.python}),
        *_values("processor", {"": before.get("processor")}, {"": now.processor}),
    ]


def _values(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    old, new = dict(leaves(before)), dict(leaves(now))
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{what} {name}: {old.get(name, 'absent')} → {new.get(name, 'absent')}".replace(
                " : ", ": "
            )


def _names(what: str, before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            how = "changed" if name in before and name in now else "new"
            yield f"{what} {name} {how if name in now else 'gone'}"
