"""A night's samples without labels: answered by the model in use, and told how well."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.nightly.journal import (
    Answers,
    Delivery,
    Night,
    Verdict,
    close,
    read_journal,
    save,
)
from pipeline.nightly.notify import message
from pipeline.nightly.page import render
from pipeline.nightly.record import read_record, write_record
from pipeline.nightly.unlabelled import answer
from pipeline.nightly.watch import drift
from pipeline.params import Params, load
from pipeline.params.aliases import Alias
from pipeline.parts import manifest
from pipeline.stages.plans import clean, curate, ingest
from tests.dataset import AUTHOR, put_batch, write_metadata

NIGHT = Night(
    "2026-03-02",
    "2026-03-02T02:30:00+00:00",
    "0" * 40,
    deliveries=[Delivery("shapes", "bare", "inbox", "", "bare", "taken")],
    verdict=Verdict("held", "same", "Held."),
)


@pytest.fixture(scope="module")
def champion(project: Path) -> Alias:
    """The model in use, of a commit; then a batch without labels and mostly without pictures."""
    for arguments in (["add", "--all"], ["commit", "--quiet", "--message", "all"]):
        subprocess.run(["git", *AUTHOR, *arguments], cwd=project, check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, check=True, capture_output=True, text=True
    )
    folder = project / "data" / "raw" / "shapes" / "bare"
    rows = put_batch(folder, 100, 2)
    for row in rows[:5]:
        (folder / row["image_file_name"]).unlink()
        row["image_file_name"] = ""
    write_metadata(folder, [{**row, "shape": ""} for row in rows])
    return Alias(model="gated", revision=head.stdout.strip())


@pytest.fixture
def params(champion: Alias, project: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """The project, inside of which all is curated."""
    monkeypatch.chdir(project)
    params = load()
    ingest.plan(params).run()
    for modality in params.modalities:
        clean.plan(params, modality).run()
    curate.plan(params).run()
    return params


def test_they_are_answered_and_the_night_says_so(params: Params, champion: Alias) -> None:
    answers = answer(params, NIGHT, champion)
    assert answers is not None
    assert (answers.samples, answers.answered) == (6, 6)
    table = pq.read_table(answers.file)
    assert [name.split("/")[1] for name in table["sample_id"].to_pylist()] == ["bare"] * 6
    truth = [name.split("/")[2].split("-")[0] for name in table["sample_id"].to_pylist()]
    right = sum(map(str.__eq__, truth, table["answer.shape"].to_pylist()))
    assert right >= 3, "a third would be chance"
    assert set(table["revision"].to_pylist()) == {champion.revision}
    assert "image" not in table["present"].to_pylist()[0]
    assert answers.expected is not None
    assert answers.usual is not None
    assert f"gated at {champion.revision[:12]}, in data/answers/2026-03-02.parquet" in answers.why
    assert ("image is missing in 83%" in answers.why) == (answers.expected < answers.usual)
    bounds = re.search(r"by their probabilities macro-F1 is (\S+) \((\S+) to (\S+)\)", answers.why)
    assert bounds is not None
    middle, low, high = map(float, bounds.groups())
    assert low < high
    assert 0 < middle <= 1.5, "what probabilities promise, less what they promised too much"
    assert manifest.read(Path("data/curated")).num_rows == 42, "none of them is learnt from"
    seen = drift(params, "gated", NIGHT.deliveries, [])
    assert (seen.findings[0].subject, seen.findings[0].components) == ("presence.image", 6)
    assert (seen.noticed, "target.shape" in seen.untested) == (True, True)

    night = replace(NIGHT, answers=answers)
    assert save(night) == read_journal(), "a killed run goes on with its answers"
    close()
    write_record(night, datetime(2026, 3, 2, 3, tzinfo=UTC))
    record = read_record(night.run)
    assert Answers(**record["answers"]) == answers
    assert answers.why in message(night, "shapes")[1]
    assert "6 of 6 sample(s) without labels" in render([record], set())


def test_what_cannot_be_asked_fails_no_night(params: Params, champion: Alias) -> None:
    none = answer(params, NIGHT, None)
    assert none == Answers(6, 0, why="6 sample(s) without labels: no model is in use that could "
                                     "answer them.")  # fmt: skip
    lost = answer(params, NIGHT, champion.model_copy(update={"model": "gone"}))
    assert lost is not None
    assert (lost.answered, lost.file) == (0, "")
    assert lost.why.startswith("6 sample(s) without labels have no answer: unknown model")
    labelled = replace(NIGHT, deliveries=[Delivery("shapes", "first", "", "", "first", "taken")])
    assert answer(params, labelled, champion) is None
