"""`pipeline encoders`: what may stand at `encoder`, as docs/encoders.md has it."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from pipeline.cli.errors import handle_errors
from pipeline.core.terminal import say

OWN = "Apache-2.0, as this project: it has no weights"
HEAD = """# Encoders

What may stand at `encoder` in a feature set of params.yaml, with its options, their defaults and
the licence of its weights. Every feature set also takes `modality`, `reject_limit`, `dtype` and
`profile`. An encoder is a file of `pipeline/encoders`, or a plug-in of another package; `make
encoders` writes this page from them, and `pipeline encoders` prints it.
"""


@handle_errors
def encoders() -> None:
    """Tell the encoders, their options and the licences of their weights, in Markdown."""
    say(page(), end="")


def page() -> str:
    """The whole page, encoders by modality and name."""
    from pipeline.core import registry

    modules = {name: registry.load("encoders", name) for name in registry.names("encoders")}
    ordered = sorted(modules, key=lambda name: (modules[name].MODALITY, name))
    rows = [f"| [`{name}`](#{name}) | {modules[name].MODALITY} | {licence(modules[name])} |"
            for name in ordered]  # fmt: skip
    table = "\n".join(["| encoder | modality | licence of the weights |", "|---|---|---|", *rows])
    sections = ("\n".join(_section(name, modules[name])) for name in ordered)
    return "\n".join([HEAD, table, "", *sections])


def licence(module: ModuleType) -> str:
    """Under which its weights may be used."""
    return str(getattr(module, "LICENCE", OWN))


def _section(name: str, module: ModuleType) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{(module.__doc__ or '').strip()}\n"
    fields = module.Options.model_fields
    if not fields:
        yield "It has no options.\n"
        return
    yield "| option | default | |"
    yield "|---|---|---|"
    for option, field in fields.items():
        default = "needed" if field.is_required() else f"`{_plain(field)}`"
        yield f"| `{option}` | {default} | {field.description or ''}{_choices(field)} |"
    yield ""


def _plain(field: Any) -> str:
    """A default as YAML has it."""
    import json

    value = field.get_default(call_default_factory=True)
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _choices(field: Any) -> str:
    """The values of a choice, and the bounds of a number."""
    from typing import Literal, get_args, get_origin

    if get_origin(field.annotation) is Literal:
        return ": " + ", ".join(f"`{value}`" for value in get_args(field.annotation))
    limits = {
        key: getattr(limit, key)
        for limit in field.metadata
        for key in ("ge", "gt", "le", "lt")
        if getattr(limit, key, None) is not None
    }
    words = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    bounds = " ".join(f"{words[key]} {limits[key]}" for key in words if key in limits)
    return f"; {bounds}" if bounds else ""
