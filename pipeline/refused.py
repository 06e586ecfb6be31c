"""Everything that was refused, gathered from what the stages left."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

from pipeline import manifest
from pipeline.errors import PipelineError
from pipeline.records import Reject


def tables(modalities: Iterable[str], sets: Iterable[str]) -> dict[str, str]:
    """Stage → the folder below the data root of its rows and rejects, in the order of the flow."""
    modalities = tuple(modalities)
    return {
        "ingest": "samples",
        **{f"ingest/{name}": f"assets/{name}" for name in modalities},
        **{f"clean/{name}": f"clean/{name}" for name in modalities},
        **{f"augment/{name}": f"augmented/{name}" for name in modalities},
        **{f"extract/{name}": f"features/{name}" for name in sets},
        "curate": "curated",
    }


def rejected(out: Path) -> list[Reject]:
    """The rejects of one finished stage, in a fixed order; PipelineError if it is not finished."""
    return sorted(manifest.rejects(out))


def unseen(root: Path, model: str) -> list[Reject]:
    """The samples that a model was to learn from or stop by, but has no feature of.

    The model's card counts them; the tables that it was trained on say which they are.

    Raises
    ------
    PipelineError
        The model is not trained, or those tables are not there.
    """
    try:
        card = json.loads((root / "models" / model / "model.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PipelineError(f"the model {model} is not trained: run `dvc repro`") from None
    if not any(split["unseen"] for split in card["samples"].values()):
        return []
    there: dict[str, set[str]] = {}
    for name, one in card["features"].items():
        digests = manifest.read(root / "features" / name, ["digest"], view=0)["digest"]
        there.setdefault(one["modality"], set()).update(digests.to_pylist())
    columns = ["sample_id", "source", "batch", "split", *there]
    return sorted(
        Reject(
            stage=f"train/{model}",
            source=row["source"],
            batch=row["batch"],
            subject_kind="sample",
            subject=row["sample_id"],
            digest="",
            reason="no_modality",
            message=f"the sample has no feature of {', '.join(sorted(there))}",
        )
        for row in manifest.read(root / "curated", columns).to_pylist()
        if row["split"] in card["samples"]
        and not any(row[modality] in digests for modality, digests in there.items())
    )


def collect(
    root: Path, tables: Mapping[str, str], models: Iterable[str], stage: str = ""
) -> list[Reject]:
    """The rejects of every finished stage below `root`, or of one, in a fixed order.

    Parameters
    ----------
    tables:
        Stage → folder, as `tables` lists them.
    models:
        Names of models; `train/<model>` is the stage of one.
    stage:
        The one stage to look at. A stage that keeps no rejects has none.

    Raises
    ------
    PipelineError
        `stage` has not finished, or none has.
    """
    folders = [root / folder for name, folder in tables.items() if stage in ("", name)]
    trained = [name for name in models if stage in ("", f"train/{name}")]
    if not stage:
        folders = [folder for folder in folders if (folder / manifest.MANIFEST).is_file()]
        trained = [name for name in trained if (root / "models" / name / "model.json").is_file()]
        if not folders:
            raise PipelineError(f"no stage has finished below {root}: run `dvc repro`")
    found = [reject for folder in folders for reject in rejected(folder)]
    return sorted([*found, *(reject for name in trained for reject in unseen(root, name))])


def as_json(found: Sequence[Reject]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(asdict(reject), ensure_ascii=False) + "\n" for reject in found)


def as_tables(found: Sequence[Reject]) -> str:
    """A table for each stage and reason, with the subjects and messages."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    with console.capture() as captured:
        if not found:
            console.print("nothing was refused")
        for (stage, reason), group in groupby(
            sorted(found, key=lambda reject: (reject.stage, reject.reason)),
            key=lambda reject: (reject.stage, reject.reason),
        ):
            rows = list(group)
            table = Table(title=f"{stage}: {len(rows)} {reason}", title_justify="left", expand=True)
            for column in ("batch", "what", "message"):
                table.add_column(column, overflow="fold")
            for reject in rows:
                table.add_row(
                    f"{reject.source}/{reject.batch}",
                    f"{reject.subject_kind} {reject.subject}",
                    reject.message,
                )
            console.print(table)
    return captured.get()
