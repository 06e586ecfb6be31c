"""What `dvc repro` would stop at is said before it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.params import parse
from pipeline.parts.refusals import kept
from pipeline.stages.check_data import Findings, check_data
from tests.dataset import params as small

RAW = Path("data", "raw", "shapes")
MODEL = {"features": ["hashing"], "tasks": {"shape": {}}, "primary": "shape"}

pytestmark = pytest.mark.usefixtures("inside")


def checked(text: str, **sections: Any) -> Findings:
    """What is found of one batch with this table, whose texts are told apart by shape."""
    batch = RAW / "first"
    batch.mkdir(parents=True, exist_ok=True)
    (batch / "metadata.csv").write_text(text)
    document = {
        "sources": {"shapes": {"kind": "folder", "targets": {"shape": "shape"}}},
        "modalities": ["text"],
        "targets": {"shape": {"kind": "multiclass"}},
        "features": {"hashing": {"modality": "text", "encoder": "hashing"}},
        "models": {"text": MODEL},
        **sections,
    }
    return check_data(parse(document))


def table(*classes: str, each: int = 20, header: str = "text,shape") -> str:
    rows = [f"words of {name} {i},{name}" for name in classes for i in range(each)]
    return "\n".join([header, *rows]) + "\n"


def test_good_data_has_no_problem() -> None:
    findings = checked(table("a", "b"))
    assert findings.problems == []
    (line,) = (note for note in findings.notes if note.startswith("samples: "))
    assert line.startswith("samples: 40 (train ")
    assert not any("case, blanks" in note for note in findings.notes)


def test_samples_without_labels_are_no_problem_unless_all_are() -> None:
    bare = "".join(f"words of nothing {i},\n" for i in range(30))
    assert checked(table("a", "b") + bare).problems == []
    (problem,) = checked(table() + bare).problems
    assert problem.startswith("no sample has a target")


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    (problem,) = checked(table("a", "b", header="text,shap")).problems
    assert "there is no column shape; there are: text, shap" in problem
    assert kept("ingest") is None


def test_files_that_are_not_there_are_named_with_the_near_ones() -> None:
    (RAW / "first" / "pics").mkdir(parents=True)
    (RAW / "first" / "pics" / "0.png").write_bytes(b"")
    features = {"colour_hog": {"modality": "image", "encoder": "colour_hog"}}
    findings = checked(
        "image_file_name,shape\n0.png,a\n",
        modalities=["image"],
        features=features,
        models={"image": {**MODEL, "features": ["colour_hog"]}},
    )
    (problem,) = findings.problems
    assert "there is no file 0.png; there is 'pics/0.png'" in problem


def test_classes_of_few_components_are_named_with_the_option() -> None:
    findings = checked(table("a", "b") + "words of c,c\nother words of c,c\n")
    (note,) = (note for note in findings.notes if "set aside" in note)
    assert "targets.shape: 1 of its classes have fewer than 5 components" in note
    assert "c (2)" in note
    assert "curate.min_components_per_class" in note
    findings = checked(table("a") + table("b", "c", "d", each=3).partition("\n")[2])
    assert any("curate would refuse 9 of 29 samples" in one for one in findings.problems)


def test_names_that_may_be_one_are_told_once_a_source_and_column() -> None:
    later = RAW / "later"
    later.mkdir(parents=True)
    (later / "metadata.csv").write_text("sample_id,text,shape,group\n7,other words,A ,ann\n")
    rows = [f"{i},words {i},a b,g{i}" for i in range(20)]
    rows += [f"x{i},words of x {i},ab,Ann" for i in range(20)]
    rows += [f"X{i},words of X {i},c,G{i}" for i in range(3)]
    findings = checked("\n".join(["sample_id,text,shape,group", *rows, "07,more,a,h"]) + "\n")
    way = "differ from one another only by case, blanks or the form of a number"
    assert [note for note in findings.notes if way in note] == [
        f"shapes: 8 names of group {way}: 'Ann', 'ann', 'G0', 'g0', 'G1' and 3 more",
        f"shapes: 8 names of sample_id {way}: '07', '7', 'X0', 'x0', 'X1' and 3 more",
        f"shapes: 4 names of target.shape {way}: 'A', 'a', 'a b', 'ab'",
    ]
    assert not any(way in problem for problem in findings.problems)


@pytest.mark.parametrize(
    ("split", "empty"),
    [("train", "validation split, by which training stops"), ("test", "train split, which is")],
)
def test_a_split_that_will_be_empty_is_told_once(split: str, empty: str) -> None:
    rows = [f"words of {name} {i},{name},{split}" for name in "ab" for i in range(9)]
    text = "\n".join(["text,shape,split", *rows]) + "\n"
    findings = checked(text, curate={"reject_limit": 1}, models=dict.fromkeys("xyz", MODEL))
    (problem,) = (line for line in findings.problems if empty in line)
    assert problem.startswith("models.x, y, z: no sample of the ")
    (advice,) = (line for line in findings.problems if "curate.ratios" in line)
    assert advice.startswith("splits: ")


@pytest.mark.parametrize("empty", [False, True])
def test_splits_that_the_data_names_throughout_are_told_how_to_be_divided(empty: bool) -> None:
    splits = ["" if empty else "train", "test"]
    rows = [f"words of {n} {i},{n},{splits[i % 2]}" for n in "ab" for i in range(40)]
    ratios = {"train": 0.4, "validation": 0.1, "test": 0.5}
    curate = {"ratios": ratios} if empty else {}
    findings = checked("\n".join(["text,shape,split", *rows]) + "\n", curate=curate)
    advice = (
        "the data names the split of every sample: say by the source's option `splits` which of "
        "them stand, such as [test], and the others are split by curate.ratios"
    )
    assert [advice in problem for problem in findings.problems] == ([] if empty else [False, True])
    notes = " ".join(findings.notes)
    if empty:
        assert "samples: 80 (train 32, validation 8, test 40)" in notes
        assert "names the split of 40 of them (test 40): curate.ratios are shares of all" in notes
    else:
        assert "of 80 of them (train 40, test 40): curate.ratios decide nothing" in notes


def test_one_class_is_nothing_to_tell_apart() -> None:
    (problem,) = checked(table("a")).problems
    assert "have the same 'shape', a: there is nothing to tell apart" in problem


def test_a_source_without_a_batch_is_told_what_to_do() -> None:
    RAW.mkdir(parents=True)
    findings = check_data(parse(small()))
    assert findings.problems == [
        "sources.shapes: it has no batch; `pipeline add FOLDER --source shapes` brings one"
    ]
