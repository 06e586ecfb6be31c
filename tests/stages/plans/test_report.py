"""The stage: the page is made once, and again when something that it shows changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.params import Params, parse
from pipeline.reporting import page
from pipeline.stages.plans import report
from tests.reporting import synthetic

MODEL = {"tasks": {"category": {}, "language": {}}, "primary": "category"}


def params(**changes: Any) -> Params:
    sets = {
        "pixels": ("image", "colour_hog"),
        "mfcc": ("audio", "mfcc"),
        "words": ("text", "hashing"),
    }
    document = {
        "seed": 1,
        "modalities": ["image", "text"],
        "sources": {"toy": {"kind": "folder"}},
        "targets": {name: {"kind": kind} for name, kind in synthetic.TARGETS.items()},
        "features": {
            name: {"modality": modality, "encoder": encoder}
            for name, (modality, encoder) in sets.items()
            if modality != "audio"
        },
        "models": {
            "image": {**MODEL, "features": ["pixels"]},
            "attention": {**MODEL, "features": ["pixels", "words"], "fusion": "attention"},
        },
        "report": {"gallery": 4, "sheet": 1},
    }
    return parse({**document, **changes})


@pytest.fixture
def root(inside: Path) -> Path:
    (inside / "data").mkdir()
    synthetic.build(inside / "data", ("image", "text"), ("image", "attention"), subjects=15)
    return inside / "data"


def test_the_page_is_made_once(root: Path) -> None:
    first = report.plan(params(), root=root).run()
    assert (first.computed, first.reused) == (1, 0)
    made = (root / "reports/index.html").read_bytes()
    second = report.plan(params(), root=root).run()
    assert (second.computed, second.reused) == (0, 1)
    (root / "reports/index.html").unlink()
    assert report.plan(params(), root=root).run().computed == 1
    assert (root / "reports/index.html").read_bytes() == made


def change_options(root: Path, patch: pytest.MonkeyPatch) -> Params:
    return params(report={"gallery": 8, "sheet": 1})


def change_params(root: Path, patch: pytest.MonkeyPatch) -> Params:
    return params(seed=2)


def change_metrics(root: Path, patch: pytest.MonkeyPatch) -> Params:
    manifest = root / "evaluation/image/manifest.json"
    manifest.write_text(manifest.read_text().replace('"metrics.json": "', '"metrics.json": "00'))
    return params()


def change_counts(root: Path, patch: pytest.MonkeyPatch) -> Params:
    (root / "ingest.json").write_text("{}")
    return params()


def change_template(root: Path, patch: pytest.MonkeyPatch) -> Params:
    patch.setattr(page, "templates", lambda: [page.TEMPLATES / "page.html"])
    return params()


@pytest.mark.parametrize(
    "change",
    [change_options, change_params, change_metrics, change_counts, change_template],
)
def test_the_page_is_made_again_when_something_changes(
    root: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[..., Params]
) -> None:
    report.plan(params(), root=root).run()
    assert report.plan(change(root, monkeypatch), root=root).run().computed == 1


def test_where_work_runs_makes_no_difference(root: Path) -> None:
    report.plan(params(), root=root).run()
    elsewhere = params(execution={"executor": "serial", "workers": 7})
    assert report.plan(elsewhere, root=root).run().computed == 0
