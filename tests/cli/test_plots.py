"""The pages of `dvc plots` ask no other host."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.command import call
from tests.dataset import run

VEGA = "window.vegaEmbed = (id, spec) => '</script>';"


@pytest.mark.slow
def test_what_dvc_draws_with_is_in_the_page(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = SimpleNamespace(javascript_bundle=lambda snippet: VEGA)
    monkeypatch.setitem(sys.modules, "vl_convert", bundle)
    run(inside, "dvc", "init", "--quiet", "--no-scm")
    code, output = call("plots")
    assert code == 0, output
    Path("curve.tsv").write_text("step\tloss\n1\t0.5\n2\t0.25\n")
    run(inside, "dvc", "plots", "show", "curve.tsv")
    page = Path("dvc_plots", "index.html").read_text()
    assert "src=" not in page
    assert "href=" not in page
    assert r"'<\/script>'" in page
    assert '"loss": "0.25"' in page


def test_what_is_lacking_is_named(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = call("plots")
    assert (code, "dvc init" in output) == (1, True)
    Path(".dvc").mkdir()
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    code, output = call("plots")
    assert (code, "multimodal-pipeline[plots]" in output) == (1, True)
