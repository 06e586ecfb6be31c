"""What a folder's columns and folders are taken for, by the rules that the module states."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from pipeline.core.errors import PipelineError
from pipeline.params import parse
from pipeline.project.proposal import Proposal, params_text, propose, told
from pipeline.project.survey import survey


def decide(question: str, options: Sequence[str], default: str) -> str:
    assert default in options
    return default


def put(folder: Path, files: Sequence[str], name: str = "", table: str = "") -> Path:
    for path in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")
    if name:
        (folder / name).write_text(table)
    return folder


def csv(header: str, *rows: str) -> str:
    return "\n".join([header, *rows]) + "\n"


def proposed(folder: Path, table: str = "") -> Proposal:
    """What is proposed, which params must take."""
    proposal = propose(survey(folder, table), decide)
    params = parse(yaml.safe_load(params_text(proposal, "mine")))
    assert params.modalities == proposal.modalities
    return proposal


def test_files_in_a_folder_of_their_own_text_and_classes(tmp_path: Path) -> None:
    rows = [f"{i},{i}.png,a picture of thing {i},{'ab'[i % 2]},{i % 3}" for i in range(20)]
    put(
        tmp_path,
        [f"images/{i}.png" for i in range(20)],
        "train.csv",
        csv("id,image,caption,label,site_code", *rows),
    )
    proposal = proposed(tmp_path)
    assert proposal.columns == {"image": "image_file_name", "caption": "text"}
    assert (proposal.target, proposal.kind) == ("label", "multiclass")
    assert proposal.modalities == ("image", "text")
    assert proposal.attributes == ("site_code",)
    assert proposal.unused == ("id",)
    assert survey(tmp_path).columns[1].folder == "images/"


def test_a_speaker_is_the_group_and_a_split_the_split(tmp_path: Path) -> None:
    rows = [
        f"s{i % 4}\t{i}.mp3\tthe sentence number {i}\t{'fm'[i % 2]}\t{('train', 'dev')[i % 2]}"
        for i in range(20)
    ]
    table = csv("client_id\tpath\tsentence\tgender\tset", *rows)
    put(tmp_path, [f"clips/{i}.mp3" for i in range(20)], "validated.tsv", table)
    proposal = proposed(tmp_path)
    assert proposal.columns == {
        "path": "audio_file_name",
        "set": "split",
        "client_id": "group",
        "sentence": "text",
    }
    assert proposal.target == "gender"


@pytest.mark.parametrize("column", ["locale", "language"])
def test_what_is_spoken_goes_before_who_speaks(tmp_path: Path, column: str) -> None:
    rows = [f"{i}.mp3\t{('', 'f', 'm')[i % 3]}\t{'ab'[i % 2]}" for i in range(30)]
    put(tmp_path, [f"{i}.mp3" for i in range(30)], "a.tsv", csv(f"path\tgender\t{column}", *rows))
    proposal = proposed(tmp_path)
    assert (proposal.target, proposal.attributes) == (column, ("gender",))


def test_a_column_is_told_whose_name_says_what_it_is(tmp_path: Path) -> None:
    rows = [f"some words here {i},{('train', 'test')[i % 2]},{'ab'[i % 2]}" for i in range(30)]
    put(tmp_path, [], "data.csv", csv("text,split,label", *rows))
    assert told(proposed(tmp_path), survey(tmp_path)) == [
        "data.csv: 30 rows",
        "column split: split",
        "column text: text",
        "the data names no split validation: it is taken out of train, by curate.ratios",
        "column label: the target, multiclass",
    ]
    assert "columns:" not in params_text(proposed(tmp_path), "mine")


@pytest.mark.parametrize("stated", [False, True])
def test_folders_of_splits_that_no_column_states_are_told(tmp_path: Path, stated: bool) -> None:
    files = [f"{('train', 'Test')[i % 2]}/{i}.png" for i in range(20)]
    rows = [f"{files[i]},{'ab'[i % 2]}{',train' * stated}" for i in range(20)]
    put(tmp_path, files, "metadata.csv", csv(f"file_name,label{',split' * stated}", *rows))
    lines = told(proposed(tmp_path), survey(tmp_path))
    note = "folders Test, train of column file_name are no splits, unless a column split says so"
    assert (note in lines) == (not stated)


def put_splits(folder: Path, *splits: str, name: str = "metadata.csv") -> None:
    """Hugging Face's ImageFolder with a table in each split's folder."""
    for split in splits:
        put(folder, [f"{split}/{i}.png" for i in range(20)])
        rows = [f"{i}.png,{'ab'[i % 2]}" for i in range(20)]
        (folder / split / name).write_text(csv("file_name,label", *rows))


@pytest.mark.parametrize(
    ("splits", "standing"),
    [(("train", "test"), ("test",)), (("train", "valid", "test"), None), (("train",), ())],
)
def test_a_table_in_the_folder_of_each_split(
    tmp_path: Path, splits: tuple[str, ...], standing: tuple[str, ...] | None
) -> None:
    put_splits(tmp_path, *splits)
    proposal = proposed(tmp_path)
    assert proposal.columns == {"file_name": "image_file_name"}
    assert (proposal.target, proposal.splits) == ("label", standing)
    surveyed = survey(tmp_path)
    assert (surveyed.rows, surveyed.table) == (20 * len(splits), "")
    note = "the data names no split validation: it is taken out of train, by curate.ratios"
    assert (note in told(proposal, surveyed)) == (standing is not None)


def test_tables_of_splits_by_another_name_are_told(tmp_path: Path) -> None:
    put_splits(tmp_path, "train", "test", name="labels.csv")
    with pytest.raises(PipelineError, match=r"test/labels.csv, train/labels.csv: those of splits"):
        survey(tmp_path)


@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        ("price", [f"{i}.5" for i in range(30)], "regression"),
        ("stars", [str(1 + i % 5) for i in range(30)], "ordinal"),
        ("digit", [str(i % 3) for i in range(30)], "multiclass"),
        ("no", ["007" if i % 2 else "NA" for i in range(30)], "multiclass"),
    ],
)
def test_the_kind_of_a_target(
    tmp_path: Path, column: str, values: Sequence[str], kind: str
) -> None:
    rows = [f"a review of some words {i},{value}" for i, value in enumerate(values)]
    put(tmp_path, [], "data.csv", csv(f"review,{column}", *rows))
    proposal = proposed(tmp_path)
    assert (proposal.target, proposal.kind) == (column, kind)
    assert proposal.columns == {"review": "text"}


def test_files_by_url_are_fetched_once_a_person_says_so(tmp_path: Path) -> None:
    rows = [f"https://a.example.org/{i}.jpg?w=9,{'ab'[i % 2]}" for i in range(20)]
    put(tmp_path, [], "pictures.csv", csv("link,label", *rows))
    proposal = proposed(tmp_path)
    assert proposal.columns == {"link": "image_file_name"}
    text = params_text(proposal, "mine")
    assert "download" not in yaml.safe_load(text)
    stated = parse(yaml.safe_load(text.replace("# download", "download")))
    assert list(stated.download) == ["mine"]
    assert any("link holds URLs" in line for line in told(proposal, survey(tmp_path)))


def test_urls_without_an_ending_are_named(tmp_path: Path) -> None:
    rows = [f"https://a.example.org/{i},{'ab'[i % 2]}" for i in range(20)]
    put(tmp_path, [], "pictures.csv", csv("link,label", *rows))
    with pytest.raises(PipelineError, match="link holds URLs whose endings say no modality"):
        proposed(tmp_path)


def test_texts_that_repeat_join_no_groups(tmp_path: Path) -> None:
    rows = [f"{('good', 'bad', 'so so')[i % 3]},{'ab'[i % 2]}" for i in range(30)]
    put(tmp_path, [], "data.csv", csv("text,label", *rows))
    assert not proposed(tmp_path).join_text
    assert "join_on: {text: none}" in params_text(proposed(tmp_path), "mine")


@pytest.mark.parametrize("prefix", ["", "train/"])
def test_a_folder_for_each_class(tmp_path: Path, prefix: str) -> None:
    put(tmp_path, [f"{prefix}{label}/{i}.jpg" for label in ("cat", "dog") for i in range(3)])
    put(tmp_path, ["README.md"])
    assert survey(tmp_path).classes == {"cat": 3, "dog": 3}
    proposal = proposed(tmp_path)
    assert proposal.folders
    assert "folders: label" in params_text(proposal, "mine")


def test_of_several_tables_one_is_taken_or_named(tmp_path: Path) -> None:
    rows = [f"some words here {i},{'ab'[i % 2]}" for i in range(30)]
    put(tmp_path, [], "train.csv", csv("text,label", *rows))
    put(tmp_path, [], "all.csv", csv("words,kind", *rows, *rows))
    assert survey(tmp_path).table == "train.csv"
    assert proposed(tmp_path, "all.csv").target == "kind"
    lines = told(proposed(tmp_path), survey(tmp_path))
    assert "not read, nor the files that they alone name: all.csv; --table takes one" in lines
    with pytest.raises(PipelineError, match=r"unknown table 'x.csv'; there are: all.csv, train"):
        survey(tmp_path, "x.csv")


def test_what_is_asked_and_answered_otherwise(tmp_path: Path) -> None:
    rows = [f"some words here {i},{'ab'[i % 2]},{'cd'[i % 2]}" for i in range(30)]
    put(tmp_path, [], "data.csv", csv("text,label,other", *rows))
    asked = {}

    def answer(question: str, options: Sequence[str], default: str) -> str:
        asked[question] = (list(options), default)
        return "other" if "told" in question else default

    assert propose(survey(tmp_path), answer).target == "other"
    assert asked["Which column is to be told?"] == (["label", "other"], "label")


@pytest.mark.parametrize(
    ("files", "table", "message"),
    [
        (["a.png"], "", "neither a table .* nor a folder for each class"),
        (
            [],
            csv("text,n", *(f"words {i},{i}" for i in range(9))),
            "no column could be a target: one needs numbers, or at least 2 classes with 5 rows",
        ),
        ([], csv("a,label", *(f"{i},{i % 2}" for i in range(20))), "no column of data.csv names"),
        ([], csv("a,a", "1,2"), "has two columns a"),
        ([], csv("a,b"), "has no row"),
    ],
)
def test_what_nothing_can_be_made_of(
    tmp_path: Path, files: Sequence[str], table: str, message: str
) -> None:
    put(tmp_path, files, "data.csv" if table else "", table)
    with pytest.raises(PipelineError, match=message):
        proposed(tmp_path)
