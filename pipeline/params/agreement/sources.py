"""Sources, and what other sections ask of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pipeline.core.errors import unknown
from pipeline.params.agreement.names import Mistakes


def check_sources(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """See `cross_check`."""
    yield from _roots(values, named)
    yield from _targets(values, named)
    yield from _spoken(values)
    yield from _predicted(values, named)
    for section in ("download", "contract"):
        for name in values[section]:
            if name not in named["sources"]:
                yield f"{section}.{name}", unknown("source", name, named["sources"])


def _roots(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """`look` names the sources with a root of their own, so that no change there goes unseen."""
    rooted = {name for name, source in values["sources"].items() if source.root}
    for name in sorted(rooted.difference(values["look"])):
        path = f"sources.{name}.root"
        yield path, f"DVC does not see what changes there: add `look: {{{name}: {{}}}}`"
    for name in values["look"]:
        if name not in named["sources"]:
            yield f"look.{name}", unknown("source", name, named["sources"])
        elif name in values["sources"] and name not in rooted:
            yield f"look.{name}", "the source has no root, and DVC sees data/raw by itself"


def _targets(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """A source whose options map columns to targets names targets that there are."""
    for name, source in values["sources"].items():
        for column, target in (getattr(source.options, "targets", None) or {}).items():
            if target not in named["targets"]:
                path = f"sources.{name}.targets.{column}"
                yield path, unknown("target", target, named["targets"])
        folders = getattr(source.options, "folders", None)
        if folders is not None and folders not in named["targets"]:
            yield f"sources.{name}.folders", unknown("target", folders, named["targets"])


def _spoken(values: Mapping[str, Any]) -> Mistakes:
    """Recordings become words where the cleaning of these has a recogniser."""
    for name, source in values["sources"].items():
        for modality in getattr(source.options, "from_audio", ()):
            cleaning = values["clean"].get(modality)
            if cleaning and getattr(cleaning.options, "speech", cleaning) is None:
                path = f"sources.{name}.from_audio"
                yield path, f"nothing recognises speech: write `clean.{modality}.speech: {{}}`"


def _predicted(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """Sources that are answered for, beside one at least that something is learnt from."""
    sources = set()
    for name, options in values["predict"].items():
        sources.add(options.source)
        if options.source not in named["sources"]:
            yield f"predict.{name}.source", unknown("source", options.source, named["sources"])
        elif sources.issuperset(named["sources"]):
            reason = "nothing is learnt from a source that is answered for, and there is no other"
            yield f"predict.{name}.source", reason
