"""What tables name by URL is fetched once, pinned by its digest, and never lost silently."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_bytes
from pipeline.core.records import Reject
from pipeline.params import Params, parse
from pipeline.parts import manifest
from pipeline.raw.downloads import read
from pipeline.stages.check_data import check_data
from pipeline.stages.forecast import forecast
from pipeline.stages.plans import clean, download, ingest
from tests.dataset import HERE, picture, put_project, run, tree, write_metadata
from tests.dataset import params as dataset_params
from tests.web import Site, web_server

ROOT = Path("data")
SOURCE = ROOT / "raw" / "shapes"


@pytest.fixture
def site() -> Iterator[Site]:
    with web_server() as site:
        site.answers = {f"/{i}.png": picture("circle", i) for i in range(5)}
        yield site


def document(**options: object) -> dict[str, Any]:
    document: dict[str, Any] = dataset_params(executor="serial")
    document["modalities"] = ["image", "text"]
    for section in ("clean", "augment"):
        document[section].pop("audio")
    document["features"].pop("mfcc")
    document["models"]["gated"]["features"] = ["colour_hog", "hashing"]
    document["curate"]["join_on"].pop("audio")
    document["ingest"]["reject_limit"] = 0.9
    (stated,) = read_example()["download"].values()
    assert parse({**document, "download": {"shapes": stated}})
    document["download"] = {"shapes": {"internal": True, **options}}
    return document


def read_example() -> dict[str, Any]:
    """What the documentation shows."""
    page = (HERE / "docs" / "own-data.md").read_text()
    (block,) = (b for b in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "download:" in b)
    example: dict[str, Any] = yaml.safe_load(block)
    return example


def put_table(site: Site, numbers: range, source: Path = SOURCE, batch: str = "b") -> None:
    (source / batch).mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "image_file_name": f"{site.address}/{i}.png?size=1",
            "text": f"text {i}",
            "shape": "circle",
        }
        for i in numbers
    ]
    write_metadata(source / batch, rows)


def fetch(params: Params) -> dict[str, int]:
    return download.plan(params, "shapes", ROOT).run().reasons


def ingested(params: Params) -> dict[str, Any]:
    ingest.plan(params, root=ROOT).run()
    for modality in params.modalities:
        clean.plan(params, modality, root=ROOT).run()
    return tree(Path())


def refused() -> dict[str, Reject]:
    """Subject → reject."""
    return {reject.subject: reject for reject in manifest.rejects((ROOT / "samples").joinpath)}


def test_it_comes_once_and_new_urls_cost_what_they_are(site: Site, inside: Path) -> None:
    params = parse(document())
    put_table(site, range(2))
    assert fetch(params) == {}
    known = read(SOURCE / "urls.csv")
    url = f"{site.address}/1.png?size=1"
    assert known[url].sha256 == digest_bytes(picture("circle", 1))
    before = ingested(params)
    (image, *_) = manifest.read(ROOT / "assets" / "image").to_pylist()
    assert image["locator"] in known
    assert image["media_type"] == "image/png"
    assert manifest.read(ROOT / "clean" / "image").num_rows == 2

    assert fetch(params) == {}
    put_table(site, range(2, 5), batch="c")
    (planned,) = forecast(params, ["download/shapes"], ROOT)
    assert (planned.rows, planned.exact) == (3, True)
    fetch(params)
    assert set(site.asked.values()) == {1}
    assert len(site.asked) == 5
    after = ingested(params)
    kept = [path for path in before if path.startswith("clean/image/") and path.endswith("parquet")]
    assert kept
    assert all(after[path] == before[path] for path in kept)

    shutil.rmtree(SOURCE / "c")
    fetch(params)
    assert ingested(params) == before


def test_bytes_that_changed_are_refused_and_kept_ones_never_asked(site: Site, inside: Path) -> None:
    params = parse(document())
    put_table(site, range(3))
    fetch(params)
    before = ingested(params)
    record = (SOURCE / "urls.csv").read_bytes()

    site.answers["/1.png"] = picture("square", 1)
    assert fetch(params) == {}  # the bytes are here
    shutil.rmtree(SOURCE / ".downloads")
    assert fetch(params) == {"changed_content": 1}
    ingested(params)
    url = f"{site.address}/1.png?size=1"
    assert [(subject, r.reason) for subject, r in refused().items()] == [(url, "changed_content")]
    assert read(SOURCE / "urls.csv")[url].sha256 == digest_bytes(picture("circle", 1))
    asked = site.asked.total()
    assert fetch(params) == {"changed_content": 1}
    assert site.asked.total() == asked

    site.answers["/1.png"] = picture("circle", 1)
    (SOURCE / "urls.csv").write_bytes(record)
    (damaged, *_) = (SOURCE / ".downloads").glob("*/*")
    damaged.write_bytes(b"flipped")
    assert fetch(params) == {}
    assert ingested(params) == before


def test_what_does_not_come_is_counted_and_asked_again_where_that_may_help(
    site: Site, inside: Path
) -> None:
    params = parse(document())
    put_table(site, range(4))
    site.answers |= {"/1.png": 404, "/2.png": 503, "/3.png": b"<html>Log in</html>"}
    assert fetch(params) == {"not_available": 1, "server_error": 1, "not_media": 1}
    ingested(params)
    urls = [f"{site.address}/{i}.png?size=1" for i in range(4)]
    reasons = {subject: reject.reason for subject, reject in refused().items()}
    assert reasons == dict(
        zip(urls[1:], ["not_available", "server_error", "not_media"], strict=True)
    )
    where = "metadata.csv, line 4: column image_file_name: "
    assert refused()[urls[2]].message.startswith(f"{where}the server answers 503")
    assert manifest.read(ROOT / "samples").num_rows == 4  # by their texts

    site.answers |= dict.fromkeys(("/1.png", "/2.png"), picture("circle", 2))
    assert fetch(params) == {"not_available": 1, "not_media": 1}
    kept = (SOURCE / "urls.csv").read_text().splitlines()
    (SOURCE / "urls.csv").write_text("\n".join(line for line in kept if "/1.png" not in line))
    assert fetch(params) == {"not_media": 1}


def test_without_the_option_nothing_is_asked_and_the_message_names_it(
    site: Site, inside: Path
) -> None:
    stated = document()
    put_table(site, range(2))
    findings = check_data(parse(stated))
    assert not [line for line in findings.notes + findings.problems if "refused" in line]
    del stated["download"]
    stated["ingest"] = {"reject_limit": 0.05}
    with pytest.raises(PipelineError, match="not_fetched"):
        ingest.plan(parse(stated), root=ROOT).run()
    (problem,) = check_data(parse(stated)).problems
    assert "`download: {shapes: {}}`" in problem
    assert not site.asked
    stated["download"] = {"shape": {}}
    with pytest.raises(PipelineError, match="there are: shapes"):
        parse(stated)


def test_a_record_that_was_edited_wrongly_is_named(site: Site, inside: Path) -> None:
    put_table(site, range(1))
    (SOURCE / "urls.csv").write_text("url,sha256,reason,message\nhttp://a/b,12,,\n")
    with pytest.raises(PipelineError, match=r"urls.csv, line 2"):
        fetch(parse(document()))


@pytest.mark.slow
def test_git_keeps_the_digests_and_dvc_the_bytes(site: Site, tmp_path: Path) -> None:
    project, clone = tmp_path / "project", tmp_path / "clone"
    put_project(project, executor="serial")
    (project / "params.yaml").write_text(yaml.safe_dump(document()))
    put_table(site, range(3), project / "data" / "raw" / "shapes")
    run(project, "dvc", "add", "data/raw/shapes/b")
    assert "ingest: 3 rows" in run(project, "dvc", "repro", "ingest").stdout
    run(project, "git", "add", ".")
    assert "data/raw/shapes/urls.csv" in run(project, "git", "ls-files").stdout
    run(project, "git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first")
    assert "didn't change" in run(project, "dvc", "repro", "ingest").stdout
    assert site.asked.total() == 3

    run(tmp_path, "git", "clone", "-q", str(project), str(clone))
    run(clone, "dvc", "config", "--local", "cache.dir", str(project / ".dvc" / "cache"))
    run(clone, "dvc", "checkout", "data/raw/shapes/b.dvc", "download@shapes")
    run(clone, "dvc", "repro", "download@shapes")
    assert site.asked.total() == 3
    for name in ("urls.csv", ".downloads"):
        places = [str(folder / "data" / "raw" / "shapes" / name) for folder in (project, clone)]
        assert run(tmp_path, "diff", "-r", *places).stdout == ""
