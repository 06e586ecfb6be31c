from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.store import open_store
from tests.cli.stamps import BATCH, stamps
from tests.dataset import HERE

__all__ = ["stamps"]
SAMPLE = f"stamps/{BATCH}/town/signs/stop@fr"


def call(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["store", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    return done.output


def records(*arguments: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in call(*arguments, "--json").splitlines()]


def test_ls_lists_the_sets(stamps: Path) -> None:
    header, *rows = [line.split("\t") for line in call("ls").splitlines()]
    assert [row[0] for row in rows] == ["efficientnet_lite0", "mfcc", "use_multilingual"]
    found = dict(zip(header, rows[0], strict=True))
    assert found["modality"] == "image"
    assert (found["rows"], found["views"], found["shape"]) == ("4", "2", "[6]")
    (own,) = [one for one in records("ls") if one["name"] == "use_multilingual"]
    parts = (stamps / "data" / "features" / "use_multilingual").glob("*.parquet")
    assert own["bytes"] == sum(path.stat().st_size for path in parts)
    assert str(open_store()["use_multilingual"].provenance["digest"]).startswith(
        str(own["provenance"])
    )
    assert len(str(own["provenance"])) == 8


def test_describe_tells_columns_provenance_and_parts(stamps: Path) -> None:
    (found,) = records("describe", "mfcc")
    assert found["provenance"] == open_store()["mfcc"].provenance
    assert [(one["view"], one["rows"]) for one in found["parts"]] == [(0, 12), (1, 12)]  # type: ignore[attr-defined]
    lines = dict(line.split("\t") for line in call("describe", "mfcc").splitlines())
    assert lines["schema.digest"] == "string"
    assert lines[f"parts.stamps/{BATCH} view 1.rows"] == "12"


def test_stats_asks_only_what_is_chosen(stamps: Path) -> None:
    (found,) = records("stats", "use_multilingual", "--where", "target.language = 'fr'")
    assert found["rows"] == 4
    assert (
        dict(line.split("\t") for line in call("stats", "use_multilingual").splitlines())["rows"]
        == "8"
    )


def test_show_and_sample_are_rows_with_first_values(stamps: Path) -> None:
    (row,) = records("show", "use_multilingual", "-n", "1", "--view", "1")
    features = open_store()["use_multilingual"]
    assert row["view"] == 1
    assert np.array_equal(np.float32(row["first"]), features.to_numpy(view=1)[0])  # type: ignore[arg-type]
    lines = call("sample", "mfcc", "-n", "3", "--where", "target.language = 'lt'").splitlines()
    assert len(lines) == 4
    assert lines[0].split("\t") == ["digest", "view", "length", "source", "batch", "first"]


def test_get_prints_whole_vectors(stamps: Path) -> None:
    (row,) = records("get", "mfcc", SAMPLE)
    assert row["id"] == SAMPLE
    assert np.array_equal(np.float32(row["vector"]), open_store()["mfcc"].get(SAMPLE)[0])  # type: ignore[arg-type]
    assert "no row in view 0 for nobody" in call("get", "mfcc", "nobody", code=1)


@pytest.mark.skipif(not find_spec("pipeline.store.nearest.neighbours"), reason="there is no search")
def test_nearest_names_the_samples_that_show_a_row(stamps: Path) -> None:
    found = records("nearest", "efficientnet_lite0", SAMPLE, "-k", "2")
    scores = [float(str(one["score"])) for one in found]
    assert scores == sorted(scores, reverse=True)
    assert [one["shown_by"] for one in found] == [3, 3]
    assert SAMPLE not in {one["sample"] for one in found}


@pytest.mark.parametrize("language", ["ca", "fr", "lt"])
def test_nearest_names_a_sample_that_meets_the_condition(stamps: Path, language: str) -> None:
    where = f"target.language = '{language}'"
    found = records("nearest", "efficientnet_lite0", SAMPLE, "--where", where)
    assert [str(one["sample"]).split("@")[1] for one in found] == [language] * 3
    assert [one["shown_by"] for one in found] == [1, 1, 1]


def test_sql_answers_in_json_and_in_tabs(stamps: Path) -> None:
    query = "SELECT sample_id, image IS NULL AS none, attributes, 0.1::FLOAT AS f FROM samples"
    assert len(records("sql", query)) == 12
    line = call("sql", query + f" WHERE sample_id = '{SAMPLE}'").splitlines()[1]
    assert line.split("\t") == [SAMPLE, "false", '[["locale", "fr"]]', "0.1"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["describe", "smell"], "'smell'; there are: efficientnet_lite0, mfcc, use_multilingual"),
        (["get", "mfcc", SAMPLE, "--view", "7"], "no rows in view 7; its views: 0, 1"),
        (["sql", "FROM samples", "--rows", "3"], "more than 3 rows"),
        (["sql", "DROP TABLE samples"], "one SELECT and changes nothing"),
        (["sql", "SELECT nothing FROM samples"], "cannot be answered"),
        (["show", "mfcc", "--where", "colour = 1"], "cannot be answered"),
        (["show", "mfcc", "--where", "COLUMNS(*) = 1"], "columns by their names"),
        (["export", "mfcc", "-o", "data/x.csv"], "where stages alone write"),
        (["export", "mfcc", "-o", "x.txt"], "its suffix names no form"),
        (["export", "mfcc", "-o", "x", "--form", "xml"], "'xml'; there are: arrow, csv"),
        (["join", "mfcc", "-o", "x.csv"], "written as one of .npz"),
        (["join", "mfcc", "-o", "x.npz", "--split", "later"], "there are: test, train"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(stamps: Path, arguments: list[str], says: str) -> None:
    output = call(*arguments, code=1)
    assert says in output
    assert output.startswith("error: ")
    assert not list(stamps.glob("*x*.*"))


def test_a_join_is_written(stamps: Path) -> None:
    call(
        "join",
        "efficientnet_lite0",
        "use_multilingual",
        "-o",
        "j.npz",
        "--where",
        "target.language='lt'",
    )
    with np.load("j.npz") as found:
        assert found["use_multilingual"].shape == (4, 5)
        assert not found["use_multilingual.present"].any()
        assert found["efficientnet_lite0.present"].all()
        assert set(found["target.language"]) == {"lt"}
    assert "--force replaces it" in call("join", "use_multilingual", "-o", "j.npz", code=1)
    call("join", "use_multilingual", "-o", "j.npz", "--force")


def test_an_export_is_written(stamps: Path) -> None:
    call("export", "mfcc", "--output", "m.npy", "--where", "target.language = 'ca'")
    assert np.load("m.npy").shape == (4, 4)


def test_validate_lists_problems_and_ends_in_one(stamps: Path) -> None:
    assert [line.split("\t")[-1] for line in call("validate").splitlines()[1:]] == ["0"] * 3
    (stamps / "data" / "features" / "mfcc" / "notes.txt").write_text("mine")
    output = call("validate", "mfcc", code=1)
    assert "mfcc/notes.txt: the manifest knows no such file" in output
    call("validate", "use_multilingual")


def test_index_builds_every_sidecar(stamps: Path) -> None:
    found = records("index", "use_multilingual")
    assert [(one["view"], one["by"], one["ids"]) for one in found] == [
        (view, kind, 8) for view in (0, 1) for kind in ("digest", "sample_id")
    ]
    assert len(list((stamps / ".pipeline" / "store").glob("*.ids"))) == 4


def test_a_closed_pipe_ends_quietly(stamps: Path) -> None:
    query = "SELECT * FROM range(300000), (SELECT 1 FROM samples LIMIT 1)"
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m pipeline.cli.main store sql '{query}' | head -n 2"],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "range\t1\n0\t1\n"
    assert done.stderr == ""


def test_an_interruption_ends_quietly(stamps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.store.describe.summaries", interrupted)
    assert call("ls", code=130) == ""


def test_describing_a_store_loads_no_torch(stamps: Path) -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from pipeline.cli.main import app;"
        "assert CliRunner().invoke(app, ['store', 'describe', 'mfcc']).exit_code == 0;"
        "print([m for m in ('torch', 'duckdb', 'scipy', 'dvc') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
