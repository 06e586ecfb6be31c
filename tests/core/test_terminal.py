"""Text from elsewhere is shown as text: never as markup, never as commands to a terminal."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.core.records import Reject
from pipeline.core.schemas import curated_schema
from pipeline.core.terminal import json_line, visible
from pipeline.execution.run_record import recorded
from pipeline.modalities.text.content import pack
from pipeline.parts import tables
from tests.cli.stamps import AUDIO, TARGETS, placed, put_set, record
from tests.dataset import AUTHOR, params, run
from tests.test_repository import SOURCES, module
from tests.toy import function

HOSTILE = (
    "[/end]", "[red]x[/red]", "[link=http://x]y[/link]", ":smile:", "\x1b]0;title\x07",
    "\x1b[2Jgone", "\x9b2J", "\x90q\x9c", "a\rb", "a\x08b", "one\ntwo", "a\tb", "\\x1b[0m",
    "\u202egnp.exe", "\u2066x", "\x7f", "a\u2028b", "\U000e0041",
)  # fmt: skip
RAW = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)
ID = "".join(HOSTILE)
# What rich itself writes to a terminal: colours and weights.
STYLE = re.compile(r"\x1b\[[0-9;]*m")


def call(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def hostile(inside: Path) -> Path:
    """A store whose ids, targets, batches, rejects and records are hostile."""
    said = params()
    said["features"] = {"hashing": {"modality": "text", "encoder": "hashing"}}
    said["models"] = {"gated": {**said["models"]["gated"], "features": ["hashing"]}}  # type: ignore[index]
    Path("params.yaml").write_text(yaml.safe_dump(said))
    records = [
        {**record(f"p{i}", "fr"), "batch": ID, "sample_id": f"{i}{ID}", "target.category": ID,
         "group": ID, "licence": ID, "attributes": [(ID, ID)]}
        for i in range(3)
    ]  # fmt: skip
    rows = [tables.record_row(one, str(one["sample_id"])) for one in records]
    rows.append(
        tables.reject_row(Reject("curate", ID, ID, "sample", f"0{ID}", "", f"r{ID}", f"m{ID}"))
    )
    schema = curated_schema(["image", "audio", "text"], TARGETS)  # type: ignore[arg-type]
    data = inside / "data"
    tables.table(data / "curated", "curate", function(), schema, rows, 8, 1 << 20, 1.0).run()
    put_set(data / "features" / "hashing", {str(one["text"]) for one in records}, 512)
    content, shape = pack(ID)
    assets = [
        tables.record_row({**placed(), "digest": digest, "key": digest, "duration": 0.5,
                           "data": content, "shape": shape})
        for digest in sorted({str(one["text"]) for one in records})
    ]  # fmt: skip
    columns = AUDIO.append(pa.field("shape", pa.list_(pa.int32())))
    for name in ("clean/text", "assets/text"):
        tables.table(data / name, name, function(), columns, assets, 8, 1 << 20, 1).run()
    with recorded("ingest") as one:
        one["verb"], one["computed_rows"] = ID, 3
    return inside


@pytest.fixture(params=["pipe", "terminal"])
def shown(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "terminal":
        monkeypatch.setattr("pipeline.cli.output._on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "4000")
    return str(request.param)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["rejects"], 0),
        (["store", "sql", "SELECT * FROM samples"], 0),
        (["store", "sql", "SELECT sample_id AS \"\x1b]0;x\x07[red]\" FROM samples"], 0),
        (["store", "sql", "SELECT * FROM rejects"], 0),
        (["store", "trace", f"0{ID}"], 0),
        (["store", "get", "hashing", f"0{ID}"], 0),
        (["store", "nearest", "hashing", f"0{ID}"], 0),
        (["store", "search", "hashing", "perro"], 0),
        (["store", "show", "hashing"], 0),
        (["store", "describe", "hashing"], 0),
        (["runs"], 0),
        (["store", "trace", ID], 1),
        (["store", "trace", "nobody\x1b[2J"], 1),
        (["store", "sql", f"SELECT \"{ID}\" FROM samples"], 1),
        (["store", "sql", f"SELECT '{ID}"], 1),
        (["store", "describe", ID], 1),
        (["store", "ls", "--rev", f"x{ID}"], 1),
        (["store", "show", "hashing", "--where", f"\"{ID}\" = 1"], 1),
        (["stage", f"x{ID}"], 1),
        (["plan", f"x{ID}"], 1),
        (["rejects", "--stage", f"x{ID}"], 1),
        (["promote", f"x{ID}"], 1),
        (["validate", "--remote", f"x{ID}"], 1),
    ],
)  # fmt: skip
def test_hostile_text_is_shown_as_text(
    hostile: Path, shown: str, command: list[str], code: int
) -> None:
    output = STYLE.sub("", call(*command, code=code))
    assert not RAW.search(output), [hex(ord(found)) for found in RAW.findall(output)]
    if code == 0 and command[-1] not in ("hashing", "SELECT * FROM rejects"):
        assert "[red]" in output
    if command == ["rejects"]:
        for one in ("[/end]", "[link=http://x]y[/link]", r"\x1b]0;title\x07", ":smile:"):
            assert one in output


@pytest.mark.parametrize(
    "command",
    [
        ["rejects"],
        ["store", "sql", "SELECT * FROM samples"],
        ["store", "trace", f"0{ID}"],
        ["runs"],
    ],
)
def test_json_keeps_values_exactly(hostile: Path, command: list[str]) -> None:
    output = call(*command, "--json")
    assert not RAW.search(output)
    assert any(_holds(json.loads(line), ID) for line in output.split("\n")[:-1])


def _holds(value: object, text: str) -> bool:
    if isinstance(value, dict):
        return any(_holds(one, text) for one in (*value, *value.values()))
    if isinstance(value, list):
        return any(_holds(one, text) for one in value)
    return isinstance(value, str) and text in value


def test_hostile_names_of_files_are_shown_as_text(hostile: Path) -> None:
    folder = Path("data/clean/image")
    folder.mkdir(parents=True)
    name = b"\x1b[2J\xff.parquet".decode("utf-8", "surrogateescape")
    manifest = {"parts": [], "stage": "x", "function": {}, "schema": 1}
    made = {**manifest, "key": "k", "inputs": {}, "files": {"\x1b]0;x\x07": "x"}}
    del made["parts"]
    Path(folder, "manifest.json").write_text(json.dumps(made))
    Path("data/features/hashing", name).write_bytes(b"x")
    for command in (["validate"], ["store", "validate"]):
        output = call(*command, code=1)
        assert not RAW.search(output)
        assert "\\x1b" in output
        output.encode()


def test_hostile_subjects_of_commits_are_shown_as_text(hostile: Path) -> None:
    run(hostile, "git", "init", "--quiet")
    Path(".gitignore").write_text("/data\n.pipeline\n")
    Path("dvc.lock").write_text(
        "stages:\n  x:\n    outs:\n    - {path: data/features/x, md5: 00112233445566778899.dir}\n"
    )
    subprocess.run(["git", "add", "--all"], check=True)
    subject = "\x1b]0;title\x07[/end]\u202e"
    subprocess.run(["git", *AUTHOR, "commit", "--quiet", "-m", subject], check=True)
    done = CliRunner().invoke(app, ["store", "log"])
    assert not RAW.search(done.output)


@pytest.mark.parametrize("text", [*HOSTILE, ID, "ordinary", "日本語", "é", "\udcff"])
def test_json_means_the_value_and_text_can_be_read_back(text: str) -> None:
    assert json.loads(json_line({text: [text]})) == {text: [text]}
    assert json_line(text).isprintable()
    assert visible(text).isprintable() or RAW.search(text) is None
    if max(text) < "\udc80":
        assert visible(text).encode("latin-1", "backslashreplace").decode("unicode_escape") == text


def test_nothing_else_prints() -> None:
    """Only `terminal` writes to a terminal, logs by its rule, and progress, which shows stages."""
    allowed = {"pipeline.core.terminal", "pipeline.parts.progress", "pipeline.stages.plans.train"}
    allowed |= {"pipeline.models.training.snapshot", "pipeline.core.logs"}
    # Its standard output is a pipe to the process that asked.
    allowed |= {"pipeline.raw.spreadsheet_child"}
    for path in SOURCES:
        calls = {
            ast.unparse(node.func)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
        }
        printing = calls & {"print", "typer.echo", "click.echo"}
        assert not printing or module(path) in allowed, module(path)
