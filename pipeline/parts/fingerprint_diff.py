"""What differs between two functions: the one that made an output, and today's or another's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.core.nested import flatten


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """One sentence for each thing that changed, parameters with their old and new value.

    Parameters
    ----------
    before, after:
        Fingerprints as manifests hold them; `before` is empty where there is none.
    """
    if not before:
        return ["nothing was made here yet"]
    return [
        *_values("function", {"": before.get("function")}, {"": after.get("function")}),
        *_values("parameter", before.get("parameters", {}), after.get("parameters", {})),
        *_names("module", before.get("code", {}), after.get("code", {})),
        *_names("weights", before.get("weights", {}), after.get("weights", {})),
        *_values("library", before.get("libraries", {}), after.get("libraries", {})),
        *_values("Python", {"version": before.get("python")}, {"version": after.get("python")}),
        *_values("processor", {"": before.get("processor")}, {"": after.get("processor")}),
    ]


def _values(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    old, new = dict(flatten(before)), dict(flatten(now))
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
