"""Every command that docs/nightly.md shows, in its order, but for what DVC itself does."""

from __future__ import annotations

import shlex
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from pipeline.nightly import decide, tools
from pipeline.nightly.options import NightlyOptions
from pipeline.nightly.tools import write_site
from tests.command import call
from tests.nightly.test_decide import _Models
from tests.nightly.world import World, new_world, put_landing
from tests.test_docs import HERE, NIGHTLY, commands

# What ends otherwise than well, and says so: promoted is 0, as are all decisions.
PAGE = "docs/nightly.md"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = new_world(tmp_path, monkeypatch)
    put_landing("2026-03-01", 0)
    world.night()
    world.outcome = "promoted"
    put_landing("bad", 20)
    put_landing("good", 10)
    world.problems = {"bad": "it has no sound"}
    monkeypatch.setattr(decide.Revision, "at", lambda *arguments: _Models())
    known = pa.table({"sample_id": ["shapes/good/s10"]})
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(decide.manifest, "read", lambda *arguments: known)
    monkeypatch.setattr(tools, "tools_of", lambda params, options: world.tools())
    monkeypatch.setattr("pipeline.nightly.watch.with_learnt_contract", lambda text, *others: text)
    monkeypatch.setattr("pipeline.nightly.rerun.rerun", lambda *arguments: (3, []))
    (tmp_path / ".dvc").mkdir()
    return world


def test_every_command_shown_works(world: World) -> None:
    shown = commands(PAGE)
    assert set(shown) == set(NIGHTLY)
    for line in shown:
        # By the time that the page has, 2026-03-02 was promoted and another came after it.
        code, output = call(*shlex.split(line)[1:])
        assert code == 0, f"{line}: {output}"
        if line == "pipeline nightly run":
            assert world.batches() == ["2026-03-01", "good"]


def test_what_the_page_says_of_nightly_yaml_is_read() -> None:
    page = (HERE / PAGE).read_text()
    block = page.partition("```yaml\n")[2].partition("```")[0]
    options = NightlyOptions.model_validate(yaml.safe_load(block))
    assert [channel.kind for channel in options.notify] == ["webhook", "email", "command"]


def test_the_site_holds_the_page_and_each_night_s_report(world: World) -> None:
    Path("data/reports").mkdir(parents=True)
    Path("data/reports/index.html").write_text("the report")
    write_site()
    site = Path(".pipeline/nightly/site")
    assert (site / "2026-03-02.html").read_text() == "the report"
    assert '<a class="of" href="2026-03-02.html">report</a>' in (site / "index.html").read_text()
    (site / "2020-01-01.html").write_text("of a night that is no longer shown")
    write_site()
    assert sorted(path.name for path in site.iterdir()) == ["2026-03-02.html", "index.html"]
