"""The recipe on a slice: voices that are tones, from files to answers for new files."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import yaml

from pipeline import recipes
from pipeline.core.errors import PipelineError
from pipeline.inference import verification
from pipeline.inference.samples import Sample
from pipeline.inference.verification import RawVerifier
from pipeline.params import Params, parse
from pipeline.reporting.results.verification import verification_tables
from pipeline.stages.graph import upstream
from pipeline.stages.plans import augment, clean, curate, extract, ingest, trials
from pipeline.store.trees.tree import WorkTree
from tests.command import call
from tests.reporting.reading import read

VOICES, PHRASES = 10, 6
BATCH = Path("data", "raw", "hedgewars", "1.0.2-6")
OUT = Path("data", "verification", "voices")
REDUCED = {
    "enrolled": [1, 2],
    "seeds": 1,
    "resamples": 100,
    "systems": {
        "mfcc": {"features": ["mfcc"], "method": "cosine", "copied": 0.9},
        "mfcc_plda": {"features": ["mfcc"], "method": "plda", "dimensions": 8},
        "logmel_pairs": {"features": ["logmel"], "method": "logistic", "dimensions": 8},
    },
    "fusions": {"fused": ["mfcc_plda", "logmel_pairs"]},
}


def voice(who: int, what: int) -> np.ndarray:
    """Three quarters of a second: formants tell who, their rhythm what is said."""
    rng = np.random.default_rng([who, what])
    time = np.arange(12_000) / 16_000
    tone = sum(
        np.sin(2 * np.pi * f * time) for f in np.random.default_rng(who).uniform(200, 3000, 5)
    )
    beat = 1 + 0.5 * np.sin(2 * np.pi * (2 + what) * time)
    return (0.05 * tone * beat + 0.01 * rng.standard_normal(len(time))).astype(np.float32)


def params() -> Params:
    """The recipe's, of one source, by features that need no weights of others."""
    document = yaml.safe_load(recipes.load("verification").params)
    del document["sources"]["klettres"], document["fetch"]["klettres"]
    del document["features"]["speaker"]
    document["verification"]["voices"] |= {**REDUCED, "folds": 4}
    document["ingest"]["unused_limit"] = 0.5
    document["execution"] = {"executor": "serial"}
    Path("params.yaml").write_text(yaml.safe_dump(document))
    return parse(document)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, before = tmp_path_factory.mktemp("voices"), Path.cwd()
    os.chdir(folder)
    try:
        for who in range(VOICES):
            (BATCH / f"Voice{who}").mkdir(parents=True)
            for what in range(PHRASES):
                path = BATCH / f"Voice{who}" / f"Phrase{what}.ogg"
                soundfile.write(path, voice(who, what), 16_000)
        # Voice1 borrows a clip of Voice0, bytes and all.
        (BATCH / "Voice1" / "Phrase0.ogg").write_bytes(
            (BATCH / "Voice0" / "Phrase0.ogg").read_bytes()
        )
        asked = params()
        ingest.plan(asked, "").run()
        clean.plan(asked, "audio").run()
        augment.plan(asked, "audio").run()
        for name in asked.features:
            extract.plan(asked, name).run()
        curate.plan(asked).run()
        trials.plan(asked, "voices").run()
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def within(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return project


def clips(*places: tuple[int, int]) -> list[Sample]:
    return [
        Sample(f"{who}/{what}", {"audio": BATCH / f"Voice{who}" / f"Phrase{what}.ogg"})
        for who, what in places
    ]


def test_every_trial_is_told_and_no_two_voices_that_share_a_clip_are_told_apart(
    within: Path,
) -> None:
    rows = pq.read_table(OUT / "trials.parquet").to_pylist()
    protocol = json.loads((OUT / "protocol.json").read_text())
    assert (protocol["people"], protocol["circles"]) == (VOICES, VOICES - 1)
    assert len(rows) == sum(n["same"] + n["other"] for n in protocol["trials"].values())
    for row in rows:
        probe = row["probe"].split("/")[-2]
        person = row["person"].split("/")[-1]
        assert (probe == person) == row["same"]
        assert {probe, person} != {"Voice0", "Voice1"}
        assert row["llr.fused"] is not None


def test_voices_are_told_apart_and_figures_say_how_well(within: Path) -> None:
    metrics = json.loads((OUT / "metrics.json").read_text())
    assert metrics["fused"]["enrolled_2"]["eer"] < 0.2
    with (OUT / "figures.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["system"] for row in rows} == {*REDUCED["systems"], "fused"}
    assert {row["impostors"] for row in rows} == {
        "all impostors", "impostors with the same content", "impostors with other content"
    }  # fmt: skip
    with (OUT / "people.csv").open() as file:
        people = list(csv.DictReader(file))
    assert len(people) == 2 * VOICES
    with (OUT / "roc.csv").open() as file:
        curve = [[float(cell) for cell in row.values()] for row in csv.DictReader(file)]
    assert curve == sorted(curve)


def test_the_page_shows_them(within: Path) -> None:
    page = (OUT / "index.html").read_text()
    root = read(page)
    anchors = [section.attributes.get("id") for section in root.all("section")]
    assert anchors == ["systems", "det", "threshold", "people", "protocol"]
    assert page.count('class="panel square"') == 2
    assert "A threshold copied from elsewhere" in page
    assert f"<strong>{VOICES} people</strong>" in page


def test_nothing_is_done_twice_and_the_same_comes_out_again(within: Path) -> None:
    asked = params()
    before = {path.name: path.read_bytes() for path in OUT.iterdir()}
    assert trials.plan(asked, "voices").run().computed == 0
    for path in OUT.iterdir():
        path.unlink()
    assert trials.plan(asked, "voices").run().computed == 1
    assert {path.name: path.read_bytes() for path in OUT.iterdir()} == before


def test_the_stage_waits_for_what_it_reads(within: Path) -> None:
    assert upstream(params(), "trials", "voices") == ["extract/mfcc", "extract/logmel", "curate"]


def test_raw_files_are_answered_for_as_the_trials_were(within: Path) -> None:
    """A trial's features are those of the store; the verifier has seen these people, though."""
    verifier = RawVerifier.load(".", "voices")
    known = verifier.enrol({"three": clips((3, 0), (3, 1)), "four": clips((4, 0), (4, 1))})
    answers = [*verifier.answer(known, clips((3, 4), (4, 5)))]
    told = {(answer.sample_id, answer.person): answer.same for answer in answers}
    assert told == {
        ("3/4", "three"): True,
        ("3/4", "four"): False,
        ("4/5", "three"): False,
        ("4/5", "four"): True,
    }
    assert all(answer.enrolled == 2 and not answer.refused for answer in answers)


def test_what_is_refused_says_why(within: Path) -> None:
    verifier = RawVerifier.load(".", "voices")
    known = verifier.enrol({"three": clips((3, 0))})
    broken = Sample("broken", {"audio": b"OggS"})
    silent = Sample("words", {"text": "hello"})
    for sample, reason in ((broken, "truncated"), (silent, "no_modality")):
        (answer,) = verifier.answer(known, [sample])
        assert (answer.llr, answer.same) == (None, None)
        assert answer.refused[0][2] == reason
    with pytest.raises(PipelineError, match="nothing is left to know nobody by"):
        verifier.enrol({"nobody": [broken]})
    with pytest.raises(PipelineError, match="unknown verification 'faces'"):
        RawVerifier.load(".", "faces")


def test_the_command_answers_in_rows(within: Path) -> None:
    same, other = (BATCH / f"Voice{who}" / "Phrase5.ogg" for who in (2, 3))
    enrolled = [f"two={BATCH}/Voice2/Phrase{what}.ogg" for what in (0, 1)]
    asked = [word for path in enrolled for word in ("--enrolled", path)]
    code, output = call("trial", "voices", str(same), str(other), *asked, "--json")
    rows = [json.loads(line) for line in output.splitlines()]
    assert (code, [row["same"] for row in rows]) == (0, [True, False])
    assert {row["person"] for row in rows} == {"two"}
    code, output = call("trial", "voices", "params.yaml", "--enrolled", str(same))
    assert (code, "unknown_media_type" in output) == (3, True), output


def test_a_verifier_is_read_where_its_revision_lies(
    within: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (OUT, Path("data", "clean")):
        shutil.copytree(path, tmp_path / path)
    shutil.copy("params.yaml", tmp_path)
    asked: list[str | None] = []

    def opened(project: Path, revision: str | None) -> WorkTree:
        asked.append(revision)
        return WorkTree(tmp_path / "data", str(revision))

    monkeypatch.setattr(verification, "open_tree", opened)
    clip = str(BATCH / "Voice2" / "Phrase5.ogg")
    code, output = call("trial", "voices", clip, "--enrolled", clip, "--rev", "v1.2")
    assert (code, asked) == (0, ["v1.2"]), output
    (tmp_path / OUT / "verifier.json").unlink()
    with pytest.raises(PipelineError, match="there is no"):
        RawVerifier.load(".", "voices", "v1.2")


def test_a_verifier_whose_file_was_changed_is_refused(within: Path) -> None:
    path = OUT / "verifier.json"
    before = path.read_bytes()
    path.write_bytes(before + b" ")
    try:
        with pytest.raises(PipelineError, match="is not the file that the stage wrote"):
            RawVerifier.load(".", "voices")
    finally:
        path.write_bytes(before)


def test_a_set_that_is_none_and_too_few_people_are_told(within: Path) -> None:
    document = yaml.safe_load(Path("params.yaml").read_text())
    voices = document["verification"]["voices"]
    voices["systems"]["x"] = {"features": ["gait"]}
    with pytest.raises(PipelineError, match=r"systems\.x\.features\.0: unknown feature set 'gait'"):
        parse(document)
    del voices["systems"]["x"]
    voices["folds"] = 5
    with pytest.raises(PipelineError, match="9 people that curation keeps apart"):
        trials.plan(parse(document), "voices").run()


def test_the_page_of_a_recipe_gets_a_table_for_each_number_enrolled(within: Path) -> None:
    one, two = verification_tables(Path("data", "verification"))
    assert f"{VOICES} people, each known by 1 of their samples" in one
    rows = two.split("\n\n")[1].splitlines()
    assert [row.split(" | ")[0] for row in rows[2:]] == [
        *(f"| `{name}`" for name in REDUCED["systems"]),
        "| `fused`",
    ]
    assert len({row.count(" | ") for row in rows}) == 1


def test_features_that_are_made_otherwise_are_refused(within: Path) -> None:
    document = yaml.safe_load(Path("params.yaml").read_text())
    document["features"]["mfcc"]["coefficients"] = 12
    before = Path("params.yaml").read_text()
    Path("params.yaml").write_text(yaml.safe_dump(document))
    try:
        with pytest.raises(PipelineError, match=r"mfcc: .*coefficients[\s\S]*trials@voices"):
            RawVerifier.load(".", "voices")
    finally:
        Path("params.yaml").write_text(before)
