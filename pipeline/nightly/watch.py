"""Tonight's batches against the contract of their source, and against what was accepted before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from pipeline.core.errors import PipelineError
from pipeline.core.folders import CURATED, DATA, SAMPLES
from pipeline.core.records import UNLABELLED
from pipeline.monitoring.batch_profile import batch_profiles
from pipeline.monitoring.columns import sample_columns
from pipeline.monitoring.contract import Violation, check_contract
from pipeline.monitoring.drift import NightDrift, Observed, night_drift, pooled
from pipeline.monitoring.learnt_contract import learn_contract
from pipeline.monitoring.options import Contract
from pipeline.nightly.journal import Delivery
from pipeline.nightly.labels import label_violations
from pipeline.nightly.raw_samples import unlabelled_ids
from pipeline.params import Params
from pipeline.parts import manifest
from pipeline.project.model_files import ModelFiles
from pipeline.store.format.reader import StoredFeatures
from pipeline.store.join import align
from pipeline.store.trees.tree import WorkTree

Key = tuple[str, str]


@dataclass(frozen=True)
class Findings:
    """What of tonight's batches breaks its contract: (source, batch) → in words.

    What is in `held` must stay out. A batch that is `noted` comes in without its `rows`: id within
    the batch → why it is held.
    """

    held: dict[Key, str] = field(default_factory=dict)
    noted: dict[Key, str] = field(default_factory=dict)
    rows: dict[Key, dict[str, str]] = field(default_factory=dict)


def check_batches(
    params: Params, deliveries: Sequence[Delivery], files: ModelFiles | None = None, task: str = ""
) -> Findings:
    """Hold batches that are ingested and clean against the contract that params state.

    Where a source breaks it as a whole, as by another schema, all that it sent tonight is held.

    Parameters
    ----------
    files, task:
        The model that is asked about the labels of what is not held for another reason; batches
        are then curated, too, and the model's feature sets stand. None: nobody is asked.
    """
    tonight = [(delivery.source, delivery.batch) for delivery in deliveries]
    contracted = [key for key in tonight if key[0] in params.contract]
    if not contracted:
        return Findings()
    violations = [
        violation
        for profile in batch_profiles(Path(DATA), params.modalities, params.curate, contracted)
        for violation in check_contract(
            profile, params.contract[profile.source], params.monitoring.attributes
        )
    ]
    held = findings(tonight, violations).held
    unheld = [key for key in contracted if key not in held]
    if files is not None and unheld:
        violations += label_violations(params, files, task, tonight, unheld)
    return findings(tonight, violations)


def findings(tonight: Iterable[Key], violations: Sequence[Violation]) -> Findings:
    """What the violations of tonight's batches mean for each of them."""
    sources = {each.source: each.message for each in violations if each.level == "source"}
    result = Findings()
    for key in tonight:
        of_batch = [each for each in violations if (each.source, each.batch) == key]
        wide = [each.message for each in of_batch if each.level != "rows"]
        if key[0] in sources and not wide:
            wide = [f"all that {key[0]} sent is held: {sources[key[0]]}"]
        if wide:
            result.held[key] = "; ".join(wide)
        elif of_batch:
            rows = _rows(key, of_batch)
            messages = [each.message for each in of_batch]
            result.noted[key] = "; ".join([*messages, f"{len(rows)} of its samples are held"])
            result.rows[key] = rows
    return result


def _rows(batch: Key, violations: Sequence[Violation]) -> dict[str, str]:
    """Id within a batch → all that is wrong with that sample."""
    wrong: dict[str, list[str]] = {}
    for violation in violations:
        for sample_id in violation.ids:
            within = sample_id.removeprefix("/".join((*batch, "")))
            wrong.setdefault(within, []).append(violation.message)
    return {sample: "; ".join(messages) for sample, messages in sorted(wrong.items())}


def drift(
    params: Params, model: str, deliveries: Sequence[Delivery], earlier: Sequence[float]
) -> NightDrift:
    """Tonight's samples against all others: columns, and what the model reads.

    Samples are those that are curated, and those that curation left out for want of a label alone.

    Parameters
    ----------
    earlier:
        The p-value of every night before, in their order.
    """
    root = Path(DATA)
    tonight = {(delivery.source, delivery.batch) for delivery in deliveries}
    samples = _samples(root)
    profiles = batch_profiles(root, params.modalities, params.curate, sorted(tonight)[:1])
    columns = sample_columns(
        samples, profiles[0].measured if profiles else {}, params.monitoring.attributes
    )
    tree = WorkTree(root)
    joined = align(
        samples,
        {
            name: (StoredFeatures(tree, name), params.features[name].modality)
            for name in params.models[model].features
        },
    )
    features = {
        name: pooled(joined.values[name], joined.lengths[name], joined.present[name])
        for name in joined.values
    }
    new = np.array(
        [key in tonight for key in zip(joined.source.tolist(), joined.batch.tolist(), strict=True)],
        bool,
    )
    batch = np.char.add(np.char.add(joined.source, "/"), joined.batch)
    reference, observed = (
        Observed(
            joined.component[rows],
            {name: values[rows] for name, values in columns.items()},
            {name: values[rows] for name, values in features.items()},
            batch[rows],
        )
        for rows in (~new, new)
    )
    return night_drift(reference, observed, earlier, params.monitoring.drift, params.seed)


def _samples(root: Path) -> pa.Table:
    """The curated samples, and those without a label, whose group stands for their component."""
    curated = manifest.read(root / CURATED).drop_columns("joined_by")
    samples = manifest.read(root / SAMPLES)
    ids = pa.array(unlabelled_ids(), pa.string())
    bare = samples.filter(pc.is_in(samples["sample_id"], value_set=ids))
    bare = bare.append_column("component", bare["group"])
    bare = bare.append_column("split", pa.repeat(UNLABELLED, len(bare)))
    return pa.concat_tables([curated, bare.select(curated.column_names).cast(curated.schema)])


def drift_rows(drift: NightDrift) -> list[dict[str, Any]]:
    """The findings as the record's column has them; an alarm is one of a night that alarms."""
    return [
        {
            "name": finding.subject,
            "test": finding.test,
            "statistic": float(finding.effect),
            "p": float(finding.corrected),
            "alarm": bool(drift.alarm and finding.material and finding.corrected <= drift.level),
        }
        for finding in drift.findings
    ]


def with_learnt_contract(text: str, params: Params, sources: Sequence[str]) -> str:
    """params.yaml's text with the contract that each source's batches keep, as they stand now.

    Raises
    ------
    PipelineError
        Nothing is ingested and clean yet, or a source has no batch with samples.
    """
    profiles = batch_profiles(Path(DATA), params.modalities, params.curate)
    contracts = {name: _plain(contract) for name, contract in params.contract.items()}
    for source in sources:
        of_source = [batch for batch in profiles if batch.source == source]
        contracts[source] = _plain(learn_contract(of_source, params.monitoring.attributes))
    return with_section(text, "contract", contracts)


def with_section(text: str, name: str, section: Mapping[str, Any]) -> str:
    """The text of a YAML mapping with one section written anew, a line a limit; all else stands.

    Raises
    ------
    PipelineError
        The text is written in a way in which sections are no blocks.
    """
    block = yaml.safe_dump(
        {name: dict(section)}, default_flow_style=None, sort_keys=False, width=100
    )
    lines = text.splitlines(keepends=True)
    starts = [n for n, line in enumerate(lines) if re.match(r"[^\s#]", line)]
    start = next((n for n in starts if lines[n].startswith(f"{name}:")), None)
    if start is None:
        written = f"{text.rstrip()}\n{block}"
    else:
        end = next((n for n in starts if n > start), len(lines))
        written = "".join([*lines[:start], block, *lines[end:]])
    if yaml.safe_load(written) != {**yaml.safe_load(text), name: section}:
        raise PipelineError(f"params.yaml is written in a way that cannot be changed; add\n{block}")
    return written


def _plain(contract: Contract) -> dict[str, Any]:
    return contract.model_dump(mode="json", by_alias=True)
