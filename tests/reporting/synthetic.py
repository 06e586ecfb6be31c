"""A small finished run, made up: pictures of shapes, tones and words in several scripts."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.files.digest import digest_bytes
from pipeline.core.randomness import generator
from pipeline.core.records import Reject
from pipeline.core.schemas import (
    assets_schema,
    augmented_schema,
    clean_schema,
    curated_schema,
    predictions_schema,
    samples_schema,
)
from pipeline.modalities import cleaning_of
from pipeline.modalities.audio.content import SAMPLING_RATE
from pipeline.modalities.audio.content import pack as pack_audio
from pipeline.modalities.image.content import pack as pack_image
from pipeline.modalities.text.content import pack as pack_text
from pipeline.models.evaluation import figure_files
from pipeline.models.evaluation.results import COLUMNS
from pipeline.models.metrics import per_class, scores
from pipeline.parts import artifact, tables
from pipeline.parts.fingerprint import Fingerprint

EVIL = "<script>alert(1)</script>"
EVIL_ATTRIBUTE = '" onmouseover="alert(2)'
CATEGORIES = ("animals", "food", "household", "vehicles")
WORDS = {
    "en": "The {} number {}",
    "fr": "L'élégant {} numéro {}",
    "ar": "صورة {} رقم {}",
    "hi": "{} की तस्वीर {}",
    "zh_CN": "{}的图片第{}号",
}
TARGETS = {"category": "multiclass", "language": "multiclass"}
FEATURES = {"pixels": "image", "mfcc": "audio", "minilm": "text"}
MODELS = {
    "image": ("image",),
    "audio": ("audio",),
    "text": ("text",),
    "concatenation": ("image", "audio", "text"),
    "attention": ("image", "audio", "text"),
}
ALIGNED = "attention"  # has a space of its modalities too
SKILL = {"image": 0.68, "audio": 0.3, "text": 0.6, "concatenation": 0.75, "attention": 0.8}
CUT = (64, 2**20, 1.0)


@dataclass(frozen=True)
class Content:
    """An asset: its digest and what cleaning made of it."""

    digest: str
    data: bytes
    shape: tuple[int, ...]


def build(
    root: Path,
    modalities: Sequence[str] = ("image", "audio", "text"),
    models: Sequence[str] = tuple(MODELS),
    augmented: bool = True,
    subjects: int = 40,
) -> None:
    """Write a run's outputs below `root`, and the project's params.yaml beside it.

    It needs a scratch working directory, for the locks.
    """
    params = {"modalities": list(modalities), "models": {name: {} for name in models}}
    (root.parent / "params.yaml").write_text(json.dumps(params))
    rows, assets = _samples(modalities, subjects)
    _store(root / "samples", "ingest", samples_schema(modalities, TARGETS), rows, [_file_reject()])
    for modality in modalities:
        result = assets[modality]
        cut = cleaning_of(modality).CUT or ()
        _store(root / "assets" / modality, "ingest", assets_schema(), map(_asset, result.values()))
        records = [
            {"source": "toy", "batch": "2024", "digest": one.digest, "key": "-",
             "content": one.digest,
             "shape": list(one.shape), "data": one.data,
             **dict(zip(cut, (0.6 if i < 3 else 0.5, 1.0), strict=False))}
            for i, one in enumerate(result.values())
        ]  # fmt: skip
        _store(
            root / "clean" / modality,
            f"clean/{modality}",
            clean_schema(pa.schema([(name, pa.float32()) for name in cut])),
            records,
            _clean_rejects(modality),
        )
        if augmented:
            _store_views(root / "augmented" / modality, modality, sorted(result))
    _store(root / "curated", "curate", curated_schema(modalities, TARGETS), rows)
    write_json(root / "ingest.json", _ingested(len(rows)))
    write_json(root / "curated.json", _counted(rows))
    for name in models:
        _model(root, name, rows)


def _samples(
    modalities: Sequence[str], subjects: int
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Content]]]:
    rng = generator(7, "synthetic")
    rows: list[dict[str, Any]] = []
    assets: dict[str, dict[str, Content]] = {name: {} for name in modalities}
    for subject in range(subjects):
        category = CATEGORIES[subject % len(CATEGORIES)]
        split = ("train", "test", "train", "test", "validation")[subject % 5]
        picture = _picture(rng, category)
        for language, words in list(WORDS.items())[: 2 + subject % 4]:
            text = EVIL if subject == 1 and language == "en" else words.format(category, subject)
            content = {
                "image": None if subject % 7 == 3 else pack_image(picture),
                "audio": None if subject % 5 == 2 else pack_audio(_tone(rng, subject)),
                "text": pack_text(text),
            }
            digests: dict[str, str | None] = {}
            for modality in modalities:
                packed = content[modality]
                digests[modality] = None
                if packed is not None:
                    digest = digest_bytes(packed[0])
                    digests[modality] = digest
                    assets[modality][digest] = Content(digest, *packed)
            rows.append(
                {
                    "sample_id": f"toy/2024/{category}/{subject:03d}_{language}",
                    "source": "toy",
                    "batch": "2024",
                    "group": f"group {subject}",
                    "split_given": None,
                    "licence": "GPL-2" if subject % 3 else None,
                    "target.category": category,
                    "target.language": language,
                    "attributes": {
                        "artist": EVIL_ATTRIBUTE if subject == 1 else f"A {subject % 3}"
                    },
                    **digests,
                    "component": f"component {subject}",
                    "split": split,
                    "joined_by": [],
                }
            )
    return rows, assets


def _picture(rng: np.random.Generator, category: str) -> np.ndarray:
    """A shape on white; height, width and colour vary."""
    height, width = (int(side) for side in rng.integers(90, 256, 2))
    picture = np.full((height, width, 3), 255, np.uint8)
    colour = tuple(int(c) for c in rng.integers(30, 220, 3))
    middle, radius = (width // 2, height // 2), min(height, width) // 3
    if category == "animals":
        cv2.circle(picture, middle, radius, colour, -1, cv2.LINE_AA)
    elif category == "food":
        cv2.ellipse(picture, middle, (radius, radius // 2), 30, 0, 360, colour, -1, cv2.LINE_AA)
    elif category == "household":
        cv2.rectangle(
            picture, (width // 4, height // 4), (3 * width // 4, 3 * height // 4), colour, -1
        )
    else:
        cv2.drawMarker(picture, middle, colour, cv2.MARKER_STAR, 2 * radius, 9)
    return picture


def _tone(rng: np.random.Generator, subject: int) -> np.ndarray:
    time = np.arange(int(SAMPLING_RATE * rng.uniform(0.3, 0.9))) / SAMPLING_RATE
    envelope = np.sin(np.pi * time / time[-1]) ** 2 * (1 + np.sin(2 * np.pi * 5 * time)) / 2
    return (0.5 * envelope * np.sin(2 * np.pi * (200 + 15 * subject) * time)).astype(np.float32)


def _function(name: str) -> Fingerprint:
    return Fingerprint(
        function=name,
        parameters={},
        code={"pipeline.parts.part": digest_bytes(name.encode())},
        weights={"weights.onnx": digest_bytes(b"w")} if name.startswith("features") else {},
        libraries={"numpy": "2.4.6"},
        python="3.11",
        processor="x86_64",
    )


def _store(
    out: Path, stage: str, schema: pa.Schema, records: Any, rejects: Sequence[Reject] = ()
) -> None:
    rows = [tables.record_row(record, str(record.get("sample_id") or record["digest"]))
            for record in records]  # fmt: skip
    rows += [tables.reject_row(reject) for reject in rejects]
    tables.table(out, stage, _function(stage), schema, rows, *CUT).run()


def _store_views(out: Path, modality: str, digests: Sequence[str]) -> None:
    recipes: dict[str, list[list[dict[str, Any]]]] = {
        "image": [
            [{"op": "rotate", "degrees": 12.5}],
            [{"op": "erase", "left": 0.3, "top": 0.3, "width": 0.3, "height": 0.2}],
        ],
        "audio": [
            [{"op": "time_mask", "start": 0.4, "width": 0.2}],
            [{"op": "noise", "snr_db": 12.0, "colour": "white", "seed": 5}],
        ],
        "text": [[{"op": "noise", "share": 0.2, "seed": 3}], []],
    }
    rows = [
        replace(
            tables.record_row(
                {"source": "toy", "batch": "2024", "digest": digest, "key": "-", "view": view,
                 "recipe": json.dumps(recipe)},
                digest,
            ),
            view=view,
        )
        for digest in digests
        for view, recipe in enumerate(recipes[modality], start=1)
    ]  # fmt: skip
    stage = f"augment/{modality}"
    tables.table(out, stage, _function(stage), augmented_schema(), rows, *CUT).run()


def _asset(one: Content) -> dict[str, Any]:
    return {
        "digest": one.digest, "source": "toy", "batch": "2024", "size": len(one.data),
        "media_type": "application/octet-stream", "locator": "toy/2024/x", "data": None,
    }  # fmt: skip


def _file_reject() -> Reject:
    return Reject(
        "ingest", "toy", "2024", "file", f"odd/{EVIL}.png", "", "not_a_file", "it is a named pipe"
    )


def _clean_rejects(modality: str) -> list[Reject]:
    return [
        Reject(
            f"clean/{modality}", "toy", "2024", "asset", digest, digest, reason,
            f"the {modality} ends before it should",
        )
        for n, reason in ((6, "truncated"), (1, "empty"))
        for digest in (digest_bytes(f"{modality} {reason} {i}".encode()) for i in range(n))
    ]  # fmt: skip


def _ingested(samples: int) -> dict[str, Any]:
    counts = {
        "files": 260, "bytes": 10**7, "used": 250, "unused": 10,
        "unused_by_suffix": {".dat": 8, "": 2}, "refused": 1, "samples": samples, "rejects": 1,
        "rejects_by_reason": {"not_a_file": 1},
        "alike": {"group": [["Ann", "ann"]], "target.category": [["a b", "a\u00a0b"]]},
    }  # fmt: skip
    return {"toy": {"2024": counts}}


def _counted(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "samples": {"in": len(rows), "curated": len(rows), "rejected": {}},
        "set_aside": {"category": {"space": {"samples": 3, "components": 2}}, "language": {}},
        "ties": {"image": {"near": 4, "equal": 2}},
        "largest": [
            {"component": "component 1", "samples": 5, "share": 0.03, "groups": 2,
             "members": ["group 1", "group 9"], "tied_by": []}
        ],
    }  # fmt: skip


def _model(root: Path, name: str, rows: Sequence[dict[str, Any]]) -> None:
    seen = MODELS[name]
    classes = {
        task: sorted({row[f"target.{task}"] for row in rows}) for task in ("category", "language")
    }
    sets = {s: m for s, m in FEATURES.items() if m in seen}
    card = {
        "options": {
            "features": list(sets),
            "fusion": name,
            "tower": {"hidden": 64},
            "views": 2,
            **(
                {"alignment": {"loss": "infonce", "reconstruction": 0.5}} if name == ALIGNED else {}
            ),
        },
        "features": {s: {"modality": m, "shape": [32]} for s, m in sets.items()},
        "primary_task": "category",
        "tasks": {
            task: {"classes": c, "prior": [1 / len(c)] * len(c)} for task, c in classes.items()
        },
        "best_epoch": 6,
        "epochs": 12,
        "parameters": 12_345,
        "inputs": {"curated": digest_bytes(b"curated")},
    }

    def trained(folder: Path) -> None:
        write_json(folder / "model.json", card)
        for figure, start in (("category/loss", 1.4), ("category/macro_f1", 0.2)):
            for split in ("train", "validation"):
                path = folder / "curves/plots/metrics" / split / f"{figure}.tsv"
                path.parent.mkdir(parents=True, exist_ok=True)
                away = 0.1 if split == "train" else 0.0
                slope = -0.09 if start > 1 else 0.05
                lines = [f"{step}\t{start + slope * step - away:.4f}" for step in range(12)]
                path.write_text("\n".join([f"step\t{path.stem}", *lines]) + "\n")

    artifact.ArtifactPlan(root / "models" / name, _function("train"), {}, trained).run()
    artifact.ArtifactPlan(
        root / "evaluation" / name,
        _function("evaluate"),
        {},
        lambda folder: _evaluated(folder, name, seen, rows, classes),
    ).run()


def _aligned() -> dict[str, Any]:
    """What is measured of an alignment."""

    def figure(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.03, "high": value + 0.03}

    counts = {"n": 80, "components": 16}
    found = {
        **{f"recall_{cut}": figure(0.1 * place) for place, cut in enumerate((1, 5, 10), start=1)},
        "median_rank": figure(12.5),
        "chance": {"recall_1": 0.02, "recall_5": 0.1, "recall_10": 0.2},
    }
    told = {
        "accuracy": figure(0.4), "macro_f1": figure(0.3),
        "chance": {"accuracy": 0.25, "majority": 0.3},
    }  # fmt: skip
    gain = {"warm": figure(0.45), "cold": figure(0.35), "gain": figure(0.1)}
    return {
        "alignment": {"test": {**counts, "unseen": 0, "mean_recall": figure(0.2)}},
        "image → text": {"test": {**counts, **found}},
        "image → text, source a": {"test": {**counts, **found, "n": 30}},
        "image → category": {"test": {**counts, **told}},
        "category @ 5 %": {"test": {**counts, **gain}},
    }


def _evaluated(
    folder: Path,
    name: str,
    seen: Sequence[str],
    rows: Sequence[dict[str, Any]],
    classes: dict[str, list[str]],
) -> None:
    rng = generator(3, "model", name)
    metrics: dict[str, Any] = {task: {} for task in classes}
    predictions: list[dict[str, Any]] = []
    csvs: dict[str, list[dict[str, Any]]] = {table: [] for table in COLUMNS}
    for split in ("validation", "test"):
        own = [row for row in rows if row["split"] == split]
        for task, names in classes.items():
            truth = np.array([names.index(row[f"target.{task}"]) for row in own])
            right = rng.random(len(own)) < SKILL[name]
            aim = np.where(right, truth, rng.integers(0, len(names), len(own)))
            logits = rng.normal(0, 1, (len(own), len(names)))
            logits[np.arange(len(own)), aim] += rng.uniform(1, 4, len(own))
            probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            message = probabilities.argmax(1)
            result = scores(truth, message)
            interval = {
                key: {"value": value, "low": max(0.0, value - 0.07), "high": min(1.0, value + 0.06)}
                for key, value in {**result, "ece": 0.08}.items()
            }
            metrics[task][split] = {
                "n": len(own),
                "components": len({row["component"] for row in own}),
                **interval,
                "unseen": 0,
                "majority": {"accuracy": 0.25, "macro_f1": 0.1},
            }
            predictions += [
                {"sample_id": row["sample_id"], "model": name, "split": split, "task": task,
                 "present": [m for m in seen if row.get(m)], "probabilities": each.tolist(),
                 "prediction": names[s], "truth": names[t]}
                for row, each, s, t in zip(own, probabilities, message, truth, strict=True)
            ]  # fmt: skip
            where = {"task": task, "split": split}
            csvs["confusion"] += [
                {"task": task, "truth": names[t], "prediction": names[s]}
                for t, s in zip(truth, message, strict=True)
                if split == "test"
            ]
            columns = ("class", "precision", "recall", "f1", "support")
            csvs["per_class"] += [
                {**where, **dict(zip(columns, row, strict=True))}
                for row in per_class(truth, message, names)
            ]
            spoken = np.array([row["target.language"] for row in own])
            for value in sorted(set(spoken)):
                at = spoken == value
                figures = scores(truth[at], message[at])
                csvs["groups"].append(
                    {**where, "attribute": "language", "value": value, "n": int(at.sum()),
                     "components": len({row["component"] for row in np.array(own)[at]}),
                     "accuracy": figures["accuracy"], "macro_f1": figures["macro_f1"]}
                )  # fmt: skip
            subsets = [[m for i, m in enumerate(seen) if mask >> i & 1]
                       for mask in range(1, 2 ** len(seen))]  # fmt: skip
            for kind in ("masked", "natural"):
                csvs["subsets"] += [
                    {**where, "kind": kind, "subset": "+".join(subset), "n": 20 + len(subset),
                     "accuracy": 0.3 + 0.15 * len(subset), "macro_f1": 0.25 + 0.15 * len(subset)}
                    for subset in subsets
                ]  # fmt: skip
            confidence = probabilities.max(1)
            for m in range(15):
                at = (confidence > m / 15) & (confidence <= (m + 1) / 15)
                csvs["calibration"].append(
                    {**where, "bin": m, "low": m / 15, "high": (m + 1) / 15,
                     "confidence": confidence[at].mean() if at.any() else "",
                     "accuracy": (message == truth)[at].mean() if at.any() else "",
                     "n": int(at.sum())}
                )  # fmt: skip
    csvs["robustness"] = [
        {"task": "category", "kind": kind, "modality": modality, "rate": rate,
         "macro_f1": SKILL[name] * (1 - rate / 2), "accuracy": SKILL[name] * (1 - rate / 2),
         "low": 0.0, "high": 1.0}
        for kind in ("absence", "noise", "misalignment")
        for modality in seen
        for rate in (0.0, 0.5, 1.0)
    ]  # fmt: skip
    about = [("shapley", "overall", ""), ("permutation", "overall", "")]
    about += [("shapley", "class", name) for name in classes["category"]]
    about += [("shapley", "sample", row["sample_id"]) for row in rows if row["split"] == "test"]
    csvs["contributions"] = [
        {"task": "category", "measure": measure, "level": level, "name": name_,
         "modality": modality, "value": 0.1 * i, "low": 0.1 * i - 0.05, "high": 0.1 * i + 0.05,
         "n": 10}
        for measure, level, name_ in about
        for i, modality in enumerate(seen, start=1)
    ]  # fmt: skip
    if name == ALIGNED:
        metrics |= _aligned()
    csvs["figures"] = [*figure_files.figure_rows(metrics)]
    figure_files.write_headlines(folder, "category", {"test": {"category": {"macro_f1": 0.5}}})
    table = pa.Table.from_pylist(predictions, schema=predictions_schema())
    pq.write_table(table, folder / "predictions.parquet")
    for table_name, header in COLUMNS.items():
        with (folder / f"{table_name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, header, lineterminator="\n")
            writer.writeheader()
            writer.writerows(csvs[table_name])


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")
