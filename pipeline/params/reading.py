"""Reads params.yaml section by section, and collects every mistake on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.machine.processor import HELD, INSTRUCTIONS
from pipeline.core.options import Options
from pipeline.curation.options import CurationOptions
from pipeline.encoders import encoder_of
from pipeline.execution.options import ExecutionOptions
from pipeline.modalities import augmentation_of, cleaning_of, modalities, modality_of
from pipeline.models.comparison.options import ComparisonOptions
from pipeline.models.compression.options import CompressionOptions
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.options import ModelOptions
from pipeline.models.task_options import kinds_with_options
from pipeline.models.verification.options import VerificationOptions
from pipeline.monitoring.options import Contract, MonitoringOptions
from pipeline.params.agreement import cross_check
from pipeline.params.agreement.names import NAMED
from pipeline.params.document import read
from pipeline.params.sections import (
    CleanSection,
    FeatureNames,
    FeatureSection,
    HandoverOptions,
    IngestOptions,
    Params,
    PartsOptions,
    PredictOptions,
    RejectLimit,
    SourceRoot,
    SourceSection,
    TargetOptions,
)
from pipeline.raw.request import DownloadOptions
from pipeline.reporting.options import ReportOptions
from pipeline.sources import fetchable, source_of

Model = TypeVar("Model", bound=Options)
Kind = TypeVar("Kind")


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    Raises
    ------
    PipelineError
        The file is missing or not YAML, or anything in it is wrong: the message lists every
        mistake with its path and, for a name that does not exist, the names that do.
    """
    return parse(read(path), str(path))


def parse(document: Any, name: str = "params.yaml") -> Params:
    """Check what a params.yaml says; see `load`."""
    if not isinstance(document, dict | None):
        raise PipelineError(f"{name} holds no sections: write `sources:` and further ones, as keys")
    reading = _Reading()
    params = reading.params(document or {})
    if params is None or reading.problems:
        listed = "\n".join(f"  {path}: {message}" for path, message in reading.problems)
        raise PipelineError(f"{name} has {len(reading.problems)} mistake(s):\n{listed}")
    return params


def _with_fallback(
    sources: dict[str, SourceSection], clean: Mapping[str, CleanSection]
) -> dict[str, SourceSection]:
    """Where a source says no encoding of its tables, that of what stands in their cells holds."""
    inline = (section for modality, section in clean.items() if modality_of(modality).INLINE)
    stated = (getattr(section.options, "fallback", None) for section in inline)
    fallback = next((encoding for encoding in stated if encoding), None)
    if fallback is None:
        return sources
    return {
        name: replace(source, options=source.options.model_copy(update={"fallback": fallback}))
        if getattr(source.options, "fallback", fallback) is None
        else source
        for name, source in sources.items()
    }


def _with_kinds(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same, tasks being of the kind that their target has where that has options of its own."""
    targets, models = document.get("targets"), document.get("models")
    if not isinstance(targets, Mapping) or not isinstance(models, Mapping):
        return dict(document)
    own = {
        name: {"kind": target["kind"]}
        for name, target in targets.items()
        if isinstance(target, Mapping) and target.get("kind") in kinds_with_options()
    }

    def told(model: Any) -> Any:
        tasks = model.get("tasks") if isinstance(model, Mapping) else None
        if not isinstance(tasks, Mapping) or not own.keys() & tasks.keys():
            return model
        return {
            **model,
            "tasks": {
                name: {**own.get(name, {}), **(options or {})}
                if isinstance(options or {}, Mapping)
                else options
                for name, options in tasks.items()
            },
        }

    return {**document, "models": {name: told(model) for name, model in models.items()}}


@dataclass
class _Reading:
    """Collects mistakes while sections are turned into models."""

    problems: list[tuple[str, str]] = field(default_factory=list)

    def params(self, document: Mapping[str, Any]) -> Params | None:
        sections = set(Params.__dataclass_fields__)
        for name in sorted(set(document) - sections, key=str):
            self._problem(str(name), unknown("section", str(name), sections))
        modalities = self._modalities(document)
        features = self._features(document, modalities)
        values: dict[str, Any] = {
            "seed": self._seed(document.get("seed", 0)),
            "instructions": self._instructions(document.get("instructions", INSTRUCTIONS)),
            "modalities": modalities,
            "features": features,
            "sources": self._sources(document),
            "fetch": self._fetch(document),
            "look": tuple(self._section(document, "look")),
            "download": dict(self._each(document, "download", DownloadOptions)),
            "targets": {
                name: target.kind for name, target in self._each(document, "targets", TargetOptions)
            },
            "clean": self._clean(document, modalities),
            "augment": self._augment(document, modalities),
            "models": dict(self._each(_with_kinds(document), "models", ModelOptions)),
            "contract": dict(self._each(document, "contract", Contract)),
            "compress": dict(self._each(document, "compress", CompressionOptions)),
            "predict": dict(self._each(document, "predict", PredictOptions)),
            "verification": dict(self._each(document, "verification", VerificationOptions)),
        }
        values["sources"] = _with_fallback(values["sources"], values["clean"])
        single: dict[str, type[Options]] = {
            "parts": PartsOptions,
            "ingest": IngestOptions,
            "curate": CurationOptions,
            "evaluate": EvaluationOptions,
            "report": ReportOptions,
            "handover": HandoverOptions,
            "monitoring": MonitoringOptions,
            "execution": ExecutionOptions,
        }
        for name, model in single.items():
            values[name] = self._check(model, document.get(name) or {}, name)
        comparison = document.get("comparison")
        values["comparison"] = comparison and self._check(
            ComparisonOptions, comparison, "comparison"
        )
        named = {name: self._names(document, name) for name in (*NAMED, "targets")}
        self.problems += cross_check(values, named)
        return None if self.problems else Params(**values)

    def _names(self, document: Mapping[str, Any], section: str) -> list[str]:
        value = document.get(section)
        return [str(name) for name in value] if isinstance(value, dict) else []

    def _problem(self, path: str, message: str) -> None:
        self.problems.append((path, message))

    def _seed(self, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            self._problem("seed", "give a whole number from 0 to 2^63 - 1")
            return 0
        return value

    def _instructions(self, value: Any) -> str:
        if not isinstance(value, str) or value not in HELD:
            self._problem("instructions", unknown("instruction set", str(value), HELD))
        return str(value)

    def _section(self, document: Mapping[str, Any], name: str) -> dict[str, Any]:
        value = document.get(name) or {}
        if not isinstance(value, dict):
            self._problem(name, "give a mapping of names to their settings")
            return {}
        return {str(key): item if item is not None else {} for key, item in value.items()}

    def _check(self, model: type[Model], value: Any, path: str) -> Model | None:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for mistake in error.errors():
                where = ".".join([path, *map(str, mistake["loc"])])
                message = mistake["msg"].removeprefix("Value error, ")
                if mistake["type"] == "extra_forbidden":
                    message = unknown("key", str(mistake["loc"][-1]), model.model_fields)
                self._problem(where, message)
            return None

    def _each(
        self, document: Mapping[str, Any], section: str, model: type[Model]
    ) -> list[tuple[str, Model]]:
        checked = [
            (name, self._check(model, value, f"{section}.{name}"))
            for name, value in self._section(document, section).items()
        ]
        return [(name, value) for name, value in checked if value is not None]

    def _plugin(self, load: Callable[[str], Kind], name: Any, path: str) -> Kind | None:
        try:
            return load(str(name))
        except PipelineError as error:
            self._problem(path, str(error))
            return None

    def _split(self, value: Any, model: type[Model], path: str) -> tuple[Model | None, Any]:
        """A section's own keys, checked, and the rest, which belong to its plug-in."""
        if not isinstance(value, dict):
            self._problem(path, "give a mapping")
            return None, {}
        known = {key: item for key, item in value.items() if key in model.model_fields}
        rest = {key: item for key, item in value.items() if key not in model.model_fields}
        return self._check(model, known, path), rest

    def _modalities(self, document: Mapping[str, Any]) -> tuple[str, ...]:
        known = modalities()
        value = document.get("modalities")
        if not isinstance(value, list) or not value:
            self._problem("modalities", f"give a list; there are: {', '.join(known)}")
            return ()
        usable = []
        for i, name in enumerate(value):
            if name not in known:
                self._problem(f"modalities.{i}", unknown("modality", str(name), known))
            elif name in value[:i]:
                self._problem(f"modalities.{i}", f"'{name}' is named twice")
            elif self._plugin(modality_of, name, f"modalities.{i}"):
                usable.append(str(name))
        return tuple(usable)

    def _sources(self, document: Mapping[str, Any]) -> dict[str, SourceSection]:
        sections = {}
        for name, value in self._section(document, "sources").items():
            path = f"sources.{name}"
            place, rest = self._split(value, SourceRoot, path)
            kind = rest.pop("kind", None)
            module = self._plugin(source_of, kind, f"{path}.kind")
            options = self._check(module.Options, rest, path) if module else None
            if place and options is not None:
                sections[name] = SourceSection(str(kind), options, place.root)
        if not document.get("sources"):
            self._problem("sources", "name at least one source of data")
        return sections

    def _fetch(self, document: Mapping[str, Any]) -> dict[str, Options]:
        sources = self._section(document, "sources")
        options_of = {}
        for name, value in self._section(document, "fetch").items():
            path = f"fetch.{name}"
            if name not in sources or not isinstance(sources[name], dict):
                self._problem(path, unknown("source", name, sources))
                continue
            try:
                source_of(str(sources[name].get("kind")))
            except PipelineError:
                continue
            try:
                module = fetchable(str(sources[name]["kind"]))
            except PipelineError:
                self._problem(path, f"a source of kind {sources[name]['kind']} cannot fetch itself")
                continue
            options = self._check(module.FetchOptions, value, path)
            if options is not None:
                options_of[name] = options
        return options_of

    def _clean(self, document: Mapping[str, Any], modalities: tuple[str, ...]) -> dict[str, Any]:
        section = self._section(document, "clean")
        self._known("clean", section, modalities)
        sections = {}
        for name in modalities:
            limit, rest = self._split(section.get(name, {}), RejectLimit, f"clean.{name}")
            cleaning = self._plugin(cleaning_of, name, f"modalities.{name}")
            options = cleaning and self._check(cleaning.Options, rest, f"clean.{name}")
            if limit and options:
                sections[name] = CleanSection(options, limit.reject_limit)
        return sections

    def _augment(self, document: Mapping[str, Any], modalities: tuple[str, ...]) -> dict[str, Any]:
        section = self._section(document, "augment")
        self._known("augment", section, modalities)
        checked = {}
        for name in modalities:
            augmentation = self._plugin(augmentation_of, name, f"modalities.{name}")
            if augmentation:
                stated = section.get(name, {})
                checked[name] = self._check(augmentation.Options, stated, f"augment.{name}")
        return checked

    def _features(
        self, document: Mapping[str, Any], modalities: tuple[str, ...]
    ) -> dict[str, FeatureSection]:
        sections = {}
        for name, value in self._section(document, "features").items():
            path = f"features.{name}"
            names, rest = self._split(value, FeatureNames, path)
            if names is None:
                continue
            module = self._plugin(encoder_of, names.encoder, f"{path}.encoder")
            if module is None:
                continue
            if names.modality not in modalities:
                self._problem(f"{path}.modality", unknown("modality", names.modality, modalities))
            elif names.modality != module.MODALITY:
                self._problem(
                    f"{path}.encoder",
                    f"'{names.encoder}' encodes {module.MODALITY}, not {names.modality}",
                )
            options = self._check(module.Options, rest, path)
            if options is not None:
                sections[name] = FeatureSection(
                    names.modality,
                    names.encoder,
                    options,
                    names.reject_limit,
                    names.dtype,
                    names.profile,
                )
        return sections

    def _known(self, section: str, value: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for name in value:
            if name not in known:
                self._problem(f"{section}.{name}", unknown("modality", name, known))
