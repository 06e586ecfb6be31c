from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli.runs import show_forecasts
from pipeline.params import Params, parse
from pipeline.parts.manifest import MANIFEST
from pipeline.parts.summary import Summary
from pipeline.parts.up_to_date import skip_if_up_to_date
from pipeline.stages.forecast import Forecast, forecast
from pipeline.stages.graph import labels
from pipeline.stages.run import find
from tests import dataset
from tests.dataset import HERE


def test_the_projects_own_params_are_forecast_where_nothing_was_made(inside: Path) -> None:
    params = parse(yaml.safe_load((HERE / "params.yaml").read_text()))
    wanted = labels(params)
    assert {"compare", "crossvalidate/gated", "report", "fetch/stamps"} <= {*wanted}
    found = {one.stage: one for one in forecast(params, wanted)}
    assert [*found] == wanted
    for looks in ("code", "params"):
        assert (found[looks].computed, found[looks].exact) == (1, True)
    first = found["fetch/stamps"]
    assert (first.computed, first.exact, first.reasons) == (1, True, ["it is not there"])
    assert all(found[name].rows is None for name in ("ingest", "clean/image", "curate"))
    later = [one for name, one in found.items() if not name.startswith(("fetch", "code", "params"))]
    assert all(one.works and not one.exact for one in later)
    assert found["crossvalidate/gated"].reasons[-1] == "after curate"
    # It reads features and what curation left too, for which training waits.
    waits = [reason for reason in found["evaluate/gated"].reasons if reason.startswith("after ")]
    assert waits == ["after train/gated"]


def test_one_stage_is_forecast_without_those_that_it_does_not_read(inside: Path) -> None:
    params = parse(yaml.safe_load((HERE / "params.yaml").read_text()))
    (found,) = forecast(params, ["clean/image"])
    assert (found.stage, found.reasons) == ("clean/image", ["after ingest"])


def test_another_version_of_a_source_is_fetched(inside: Path) -> None:
    given = yaml.safe_load((HERE / "params.yaml").read_text())
    version = given["fetch"]["stamps"]["version"]
    Path("data", "raw", "stamps", version).mkdir(parents=True)
    (found,) = forecast(parse(given), ["fetch/stamps"])
    assert not found.works
    given["fetch"]["stamps"]["version"] = "9999"
    (found,) = forecast(parse(given), ["fetch/stamps"])
    assert found.works


WORDS = ("ingest", "clean/text", "augment/text", "extract/hashing", "curate")
COUNTS = {"rows": "computed_rows", "reused_rows": "reused_rows"} | {
    name: name for name in ("computed", "restored")
}


def words(**changed: Any) -> Params:
    """Texts in a table, cleaned, augmented and hashed."""
    given: dict[str, Any] = dataset.params(executor="serial")
    sections = {"clean": {}, "augment": {}, "hashing": {}, **changed}
    text = {"reject_limit": 1.0, **sections["clean"]}
    hashing = {"modality": "text", "encoder": "hashing", "dimension": 16, **sections["hashing"]}
    return parse(
        given
        | {
            "modalities": ["text"],
            "clean": {"text": text},
            "augment": {"text": {"views": 1, **sections["augment"]}},
            "features": {"hashing": hashing},
            "models": {},
            "curate": {
                "min_components_per_class": 1,
                "max_component_share": 1.0,
                "reject_limit": 1.0,
            },
        }
    )


def put_words(batch: str, texts: list[str]) -> None:
    folder = Path("data", "raw", "shapes", batch)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"sample_id": f"{n}", "text": text, "shape": "ab"[n % 2]} for n, text in
            enumerate(texts)]  # fmt: skip
    dataset.write_metadata(folder, rows)


def run(params: Params, name: str) -> Summary:
    stage, _, item = name.partition("/")
    planned = find(params, stage, item)(params, item)
    return skip_if_up_to_date(name, planned.key, planned.outs, planned.run)


def foretold_and_done(params: Params) -> dict[str, tuple[Forecast, Summary]]:
    """Each stage's forecast before any ran, and what it then did, held against each other."""
    foretold = {one.stage: one for one in forecast(params, WORDS)}
    pairs = {name: (foretold[name], run(params, name)) for name in WORDS}
    for name, (before, did) in pairs.items():
        for told, done in COUNTS.items():
            most, count = getattr(before, told), getattr(did, done)
            if before.exact:
                assert most == count, (name, told)
            elif most is not None:
                assert count <= most, (name, told)
        assert before.works or not (did.computed or did.restored or did.removed), name
    return pairs


def twelve(first: int) -> list[str]:
    return [f"text number {n} of {n * n}" for n in range(first, first + 12)]


def _edit() -> None:
    put_words("b", [*twelve(12)[:-1], "another text"])


def _move() -> None:
    put_words("a", [*twelve(0), twelve(12)[3]])


def _kill() -> None:
    """As a run leaves it that ended before its manifest, having lost half of its parts."""
    for folder in ("clean/text", "features/hashing"):
        Path("data", folder, MANIFEST).unlink(missing_ok=True)
        for path in sorted(Path("data", folder).glob("*.parquet"))[::2]:
            path.unlink()


def _damage() -> None:
    next(Path("data/augmented/text").glob("*.parquet")).write_bytes(b"damaged")


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (lambda: put_words("c", twelve(24)), {}),
        (lambda: put_words("c", twelve(6)), {}),
        (lambda: shutil.rmtree("data/raw/shapes/a"), {}),
        (_edit, {}),
        (_move, {}),
        (_kill, {}),
        (_damage, {}),
        (lambda: None, {"clean": {"max_characters": 20}}),
        (lambda: None, {"augment": {"views": 3}}),
        (lambda: None, {"hashing": {"dimension": 8}}),
        (_edit, {"clean": {"max_characters": 19}, "augment": {"views": 2}}),
    ],
)
def test_bounds_hold_for_what_the_run_then_does(
    inside: Path, change: Callable[[], None], changed: dict[str, Any]
) -> None:
    put_words("a", twelve(0))
    put_words("b", twelve(12))
    first = foretold_and_done(words())
    assert first["ingest"][0].rows == 24
    assert first["clean/text"][0].rows == first["clean/text"][1].computed_rows == 24
    assert first["augment/text"][0].rows == 24
    assert first["extract/hashing"][0].rows == 48
    nothing = foretold_and_done(words())
    assert not any(before.works for before, _ in nothing.values())
    change()
    pairs = foretold_and_done(words(**changed))
    assert any(before.works for before, _ in pairs.values())


def test_what_is_not_known_is_told_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    known = Forecast("clean/text", 3, 1, 4, 0, 2, reasons=["3 rows are new"])
    bounded = Forecast("a", 7, None, None, None, None, exact=False, reasons=["after clean/text"])
    unknown = Forecast("b", None, None, None, None, None, exact=False, reasons=["after a"])
    show_forecasts([known, bounded, unknown], json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1][:5] == ["clean/text", "4", "2", "3,", "1"]
    assert lines[2][:6] == ["a", "?", "?", "?", "≤", "7"]
    assert lines[3][:5] == ["b", "?", "?", "?", "?"]
