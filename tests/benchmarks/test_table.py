from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from benchmarks import plot, table
from benchmarks.changes import LABELS
from benchmarks.measured import PEERS


def stages(total: float) -> dict[str, dict[str, float]]:
    return {label: {"cpu_s": total / 4, "wall_s": total / 8} for label in LABELS}


@pytest.fixture
def results() -> dict[str, Any]:
    """A run of round figures: the limit is 40 CPU-s on the stamps and 80 on ten variants."""
    counted = {"planned": 9, "reused": 8, "computed": 1}
    return {
        "machine": {"cores": 2, "processor": "x86_64", "python": "3.11.7"},
        "minutes": 12.0,
        "files": {"stamps": {"image": 10, "audio": 20}},
        "limit": {
            "few": {"image": 0.5, "audio": 0.5, "loading": 3.0},
            "stamps": {"image": 10.0, "audio": 30.0, "loading": 3.0},
            "ten": {"image": 20.0, "audio": 61.0, "loading": 3.0},
        },
        "processes": {"stamps": stages(44.0), "ten": stages(85.0), "half": stages(10.0)},
        "serial": {"few": stages(2.0)},
        "ray": {"few": stages(6.0), "stamps": stages(50.0), "ten": stages(94.0)},
        "peers": {
            name: {"cpu_s": 100.0 - i, "wall_s": 50.0} for i, name in enumerate(sorted(PEERS))
        },
        "added": {"rows": 30, "stages": {label: {"cpu_s": 0.9, **counted} for label in LABELS}},
        "comment": {
            "cpu_s": 5.0,
            "up_to_date_cpu_s": 2.0,
            "stages": {label: {"cpu_s": 0.5, **counted, "computed": 0} for label in LABELS},
        },
    }


def test_ratios_are_taken_to_the_limit_without_loading(results: dict[str, Any]) -> None:
    measured = {check.what: check.measured for check in table.checks(results)}
    assert measured["processes ÷ limit, the stamps"] == pytest.approx(44 / 40)
    assert measured["processes ÷ limit, ten variants"] == pytest.approx(85 / 81)
    assert measured["Ray Data as documented ÷ processes"] == pytest.approx(
        results["peers"]["ray_data_docs"]["cpu_s"] / 10
    )


def test_rays_cost_is_what_it_adds_and_its_slope(results: dict[str, Any]) -> None:
    fixed, slope = table.ray_line(results)
    assert slope == pytest.approx((94 - 6) / (81 - 1))
    assert fixed == pytest.approx(6 - 2)


def test_a_bound_is_met_or_missed() -> None:
    assert table.Check("", 1.0, 1.0).met
    assert not table.Check("", 1.1, 1.0).met
    assert table.Check("", 9.0, 8.0, at_most=False).met
    assert not table.Check("", 7.0, 8.0, at_most=False).met


def test_new_rows_may_cost_a_second_for_each_stage_that_works(results: dict[str, Any]) -> None:
    (check,) = (c for c in table.checks(results) if c.what.startswith("1 % new"))
    assert check.bound == pytest.approx(0.02 * 85 + 4)
    results["added"]["stages"]["clean/image"]["computed"] = 0
    (check,) = (c for c in table.checks(results) if c.what.startswith("1 % new"))
    assert check.bound == pytest.approx(0.02 * 85 + 3)


def test_the_page_holds_every_figure_between_its_marks(
    results: dict[str, Any], tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.update(page, results)
    table.update(page, results)
    text = page.read_text()
    assert text.startswith("# Before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert all(check.what in text for check in table.checks(results))
    assert all(title in text for title in table.TITLES.values())
    assert text.count("**missed**") == sum(not check.met for check in table.checks(results))


def test_every_peer_has_a_title() -> None:
    assert table.TITLES.keys() == PEERS.keys()
    assert {*table.EQUALS, table.APART} < PEERS.keys()


def test_the_plot_has_a_bar_for_every_job_and_fits(results: dict[str, Any]) -> None:
    root = ET.fromstring(plot.draw(results))
    bars = root.findall(".//{*}rect")[1:]
    assert len(bars) == len(plot.bars(results)) == 3 + len(PEERS)
    assert all(float(bar.get("x", 0)) + float(bar.get("width", 0)) < plot.WIDTH for bar in bars)
    ratios = [ratio for _, ratio, _ in plot.bars(results)]
    assert ratios == sorted(ratios)
    assert 1.0 in ratios
