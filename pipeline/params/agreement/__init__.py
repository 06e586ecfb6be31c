"""Whether the sections of params.yaml agree, so that no stage finds out hours later."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pipeline import modalities as plugins
from pipeline.core.errors import unknown
from pipeline.modalities import measures, modality_of
from pipeline.models.evaluation.options import DURATION, PRESENCE, SOURCE
from pipeline.models.tasks import task_of
from pipeline.params.agreement.models import check_models
from pipeline.params.agreement.names import Mistakes, check_names
from pipeline.params.agreement.sources import check_sources


def cross_check(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """(path, message) of everything that one section says and another contradicts.

    Parameters
    ----------
    values:
        The sections by name, as fields of Params. What is wrong in itself is left out or None,
        and is not held against the others.
    named:
        Section → all the names that it gives, of wrong entries too.
    """
    yield from check_names(named)
    yield from check_sources(values, named)
    if values["ingest"]:
        yield from _optional(values)
    yield from check_models(values, named)
    if values["curate"]:
        yield from _joins(values)
    if values["evaluate"]:
        yield from _groups(values, named)
        yield from _named_classes(values, named)
    if values["handover"]:
        for name in values["handover"].licences:
            if name not in named["features"]:
                yield f"handover.licences.{name}", unknown("feature set", name, named["features"])


def _optional(values: Mapping[str, Any]) -> Mistakes:
    known = plugins.modalities()
    for i, modality in enumerate(values["ingest"].optional):
        if modality not in known:
            yield f"ingest.optional.{i}", unknown("modality", modality, known)


def _joins(values: Mapping[str, Any]) -> Mistakes:
    modalities = values["modalities"]
    hashed = [name for name in modalities if modality_of(name).LEAK_KEY]
    for name, join in values["curate"].join_on.items():
        path = f"curate.join_on.{name}"
        if name not in modalities:
            yield path, unknown("modality", name, modalities)
        elif join == "near" and name not in hashed:
            yield (
                path,
                f"{name} cannot join on near, having no perceptual hash; there are: "
                f"{', '.join(hashed) or 'none'}; set it to equal",
            )


def _groups(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """Targets, and attributes where every source says in its options which it has."""
    attributes: set[str] = set()
    for name in named["sources"]:
        source = values["sources"].get(name)
        declared = getattr(source.options, "attributes", None) if source else None
        if declared is None:
            return
        attributes |= set(declared)
    known = {*named["targets"], *attributes, PRESENCE, SOURCE}
    if any(measures(name, DURATION) for name in values["clean"]):
        known.add(DURATION)
    for i, name in enumerate(values["evaluate"].group_by):
        if name not in known:
            yield f"evaluate.group_by.{i}", unknown("target or attribute", name, known)


def _named_classes(values: Mapping[str, Any], named: Mapping[str, Collection[str]]) -> Mistakes:
    """Targets whose classes have names by which they can be told."""
    if values["evaluate"].label_shares and not values["evaluate"].zero_shot:
        yield "evaluate.label_shares", "name the targets that are learned in `evaluate.zero_shot`"
    for i, target in enumerate(values["evaluate"].zero_shot):
        kind = values["targets"].get(target)
        if target not in named["targets"]:
            yield f"evaluate.zero_shot.{i}", unknown("target", target, named["targets"])
        elif kind is not None and not task_of(kind).ONE_CLASS:
            problem = f"'{target}' is of kind {kind}, and no sample has one class of it"
            yield f"evaluate.zero_shot.{i}", problem
