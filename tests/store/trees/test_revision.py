"""A store at a revision: from DVC's cache or a remote, and nothing else is touched."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.fs as fs
import pytest

from pipeline.core.errors import PipelineError
from pipeline.store import Store, open_store
from pipeline.store.trees.revision import Revision, as_dvc_writes, lock_outs
from tests.dataset import AUTHOR, run
from tests.s3 import s3_server
from tests.stages.plans.stored import asset
from tests.store.revised import cache, keep, revised, snapshot
from tests.store.small import BATCHES, COUNT, picture

__all__ = ["revised"]

PIXELS = [picture(max(i, 1)) for i in range(1, COUNT)]


@pytest.fixture
def alone(revised: Path) -> Path:
    """The project without a remote."""
    shutil.rmtree(revised.parents[1] / "far")
    (revised.parent / ".dvc" / "config").write_text("")
    return revised


def features(store: Store) -> dict[str, np.ndarray]:
    return {name: store[name].to_numpy(view=None) for name in store}


def unlisted(project: Path, rev: str, path: str) -> Path:
    """The object of a file in the cache."""
    return open_store(project, rev).tree.file(path)


@pytest.mark.parametrize("outs", ["[3]", "[{path: 3, md5: x}]", "[{md5: x}]", "3"])
def test_a_lock_of_another_form_is_told(outs: str) -> None:
    lock = f"schema: '2.0'\nstages:\n  curate:\n    outs: {outs}\n".encode()
    with (
        pytest.raises(PipelineError, match=r"^dvc\.lock of v1 is not of the form that DVC writes"),
        as_dvc_writes("dvc.lock of v1"),
    ):
        lock_outs(lock, "dvc.lock of v1")


def test_every_name_of_a_revision_opens_it(revised: Path) -> None:
    first, second = features(open_store(revised, "v1")), features(open_store(revised))
    assert sorted(first) == ["look", "sound"]
    assert sorted(second) == ["look", "words"]
    assert {row.tobytes() for row in first["look"]} >= {row.tobytes() for row in PIXELS}
    commit = run(revised, "git", "rev-parse", "v1^{commit}").stdout.strip()
    for name in ("early", "HEAD~1", commit, commit[:8], "main~1", "refs/tags/v1"):
        store = open_store(revised, name)
        assert store.tree.name == name
        assert store.tree.commit == commit
        assert all(np.array_equal(features(store)[n], first[n]) for n in first)
    for name in ("v2", "HEAD", "main"):
        result = features(open_store(revised, name))
        assert all(np.array_equal(result[n], second[n]) for n in second)
    run(revised, "git", "checkout", "--quiet", "--detach", "v1")
    assert sorted(open_store(revised, "HEAD")) == ["look", "sound"]
    assert sorted(open_store(revised, "main")) == ["look", "words"]


def test_params_and_samples_are_those_of_the_revision(revised: Path) -> None:
    store = open_store(revised, "v1")
    assert store["sound"].modality == "audio"
    assert len(store.samples()) == COUNT
    assert store.join(["look", "sound"]).present["sound"].sum() == sum(i % 3 > 0 for i in range(36))
    result = store.sql("SELECT count(*) AS n, count(DISTINCT batch) AS b FROM look WHERE view = 0")
    assert result.to_pylist() == [{"n": COUNT - 1, "b": 2}]
    assert np.array_equal(store["look"].get("s/05"), [picture(5)])
    assert np.array_equal(open_store(revised, "v2")["look"].get("s/05"), [picture(99)])


def test_a_dirty_work_tree_is_left_as_it_is(revised: Path) -> None:
    (revised / "params.yaml").write_text("features: {}")
    (revised / "dvc.lock").write_text("no lock")
    shutil.rmtree(revised / "data" / "features" / "look")
    (revised / "data" / "curated" / "new.txt").write_text("new")
    (revised / "staged.txt").write_text("staged")
    run(revised, "git", "add", "staged.txt")
    before = snapshot(revised.parent)
    for name in ("v1", "v2"):
        store = open_store(revised, name)
        features(store)
        store.join(["look"], where="split = 'train'")
        store["look"].get("s/05")
    assert snapshot(revised.parent) == before


def test_files_are_listed_from_folders_and_dvc_files(revised: Path) -> None:
    tree = open_store(revised, "v1").tree
    assert tree.names("features") == ["look", "sound"]
    assert tree.names("features/look") == open_store(revised, "v1").tree.names("features/look/")
    assert "_manifest.json" in tree.names("features/look")
    assert tree.names("raw") == ["s"]
    assert tree.names("raw/s") == [BATCHES[0]]
    assert tree.names(f"raw/s/{BATCHES[0]}") == ["a.txt", "empty.txt"]
    assert tree.file(f"raw/s/{BATCHES[0]}/a.txt").read_text() == "a raw file"
    assert tree.file(f"raw/s/{BATCHES[0]}/empty.txt").read_text() == ""
    assert tree.names("nothing") == tree.names("features/nothing") == []
    for path in ("features", "features/look", "features/look/x", "x", "../params.yaml"):
        with pytest.raises(PipelineError, match=f"revision v1 has no data/{path}"):
            tree.file(path)


def test_unknown_revisions_are_told_with_those_that_exist(revised: Path) -> None:
    for name in (
        "v3",
        "",
        "--all",
        "v1:project/params.yaml",
        "0123abcd",
        "v1 v2",
        "v1\0"[:2] + "?",
    ):
        with pytest.raises(
            PipelineError, match=r"unknown revision.*there are: early, main, v1, v2"
        ):
            open_store(revised, name)


def test_a_revision_without_features_is_told(revised: Path, tmp_path: Path) -> None:
    git = ("git", *AUTHOR)
    run(revised, "git", "checkout", "--quiet", "--orphan", "bare")
    run(revised, "git", "rm", "--quiet", "--cached", "-r", ".")
    run(revised, "git", "add", "params.yaml")
    run(revised, *git, "commit", "--quiet", "--message", "nothing yet")
    with pytest.raises(
        PipelineError, match=r"bare has no features: it has no dvc\.lock.*dvc repro"
    ):
        open_store(revised, "bare")
    (revised / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    run(revised, "git", "add", "dvc.lock")
    run(revised, *git, "commit", "--quiet", "--message", "an empty lock")
    with pytest.raises(PipelineError, match=r"no features: its dvc\.lock names none"):
        open_store(revised, "HEAD")
    (revised / "dvc.lock").write_text("stages: [\n")
    run(revised, *git, "commit", "--quiet", "--message", "damaged", "dvc.lock")
    with pytest.raises(PipelineError, match=r"dvc\.lock of bare is not YAML"):
        open_store(revised, "bare")
    with pytest.raises(PipelineError, match=r"has no params\.yaml"):
        open_store(revised.parent, "bare")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(PipelineError, match="not a git repository"):
        open_store(tmp_path / "elsewhere", "v1")


def test_what_nothing_has_is_told_with_what_would_help(alone: Path) -> None:
    path = unlisted(alone, "v1", "features/look/_manifest.json")
    path.unlink()
    with pytest.raises(PipelineError, match=r"look/_manifest\.json of revision v1.*dvc remote add"):
        open_store(alone, "v1")["look"].entries  # noqa: B018
    assert len(open_store(alone, "v1")["sound"])  # which needs none of it

    run(alone, "dvc", "remote", "add", "--quiet", "near", str(alone / "near"))
    with pytest.raises(PipelineError, match=r"near: it has no such file.*dvc push"):
        open_store(alone, "v1")["look"].entries  # noqa: B018


@pytest.mark.parametrize("harm", ["gone", "emptied", "cut", "scrambled"])
def test_what_the_cache_lacks_is_fetched_alone(revised: Path, harm: str) -> None:
    expected = open_store(revised, "v1")["look"].get("s/05")
    shutil.rmtree(revised / ".pipeline", ignore_errors=True)
    listing, *_ = listings(revised, "look")
    manifest = unlisted(revised, "v1", "features/look/_manifest.json")
    shutil.rmtree(revised / "data")
    if harm == "gone":
        shutil.rmtree(cache(revised))
    else:
        for path in (listing, manifest, *parts(revised, "look")):
            data = path.read_bytes()
            path.chmod(0o644)
            # A part of the right length is believed.
            keep = harm == "scrambled" and path not in (listing, manifest)
            bad = {"emptied": b"", "cut": data[:-9], "scrambled": bytes(len(data))}[harm]
            path.write_bytes(data if keep else bad)
    before = objects(revised)

    result = open_store(revised, "v1")["look"]
    assert result.tree.names("features/sound")
    assert np.array_equal(result.matrix(result.find([asset("image", "5")]), 0), expected)

    fetched = objects(revised).items() - before.items()
    if harm == "gone":
        # Two listings, the manifest, the parts of view 0: their digests make the index.
        assert len(fetched) == 3 + len(result.parts(0))
    assert manifest.stat().st_mode & 0o777 == 0o444
    assert not list(cache(revised).rglob("*.tmp"))
    assert result.to_numpy(view=None).shape == (3 * (COUNT - 1), 5)


def objects(project: Path) -> dict[str, bytes]:
    paths = cache(project).rglob("*")
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def listings(project: Path, *names: str) -> list[Path]:
    tree = open_store(project, "v1").tree
    assert isinstance(tree, Revision)
    return [cache(project).joinpath(*tree.outs[f"features/{n}"].parts[2:]) for n in names]


def parts(project: Path, name: str) -> list[Path]:
    features = open_store(project, "v1")[name]
    return [features.path(entry) for entry in features.entries]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 server."""
    pytest.importorskip("dvc_s3", reason="DVC reaches S3 through dvc-s3, which is not installed")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with s3_server() as address:
        yield address


def test_what_the_cache_lacks_is_fetched_from_s3(revised: Path, bucket: str) -> None:
    expected = features(open_store(revised, "v1"))
    far = f"s3://bucket/far?scheme=http&endpoint_override={bucket}&region=us-east-1"
    system, base = fs.FileSystem.from_uri(f"{far}&allow_bucket_creation=true")
    system.create_dir("bucket")
    fs.copy_files(str(revised.parents[1] / "far"), base, destination_filesystem=system)
    shutil.rmtree(revised.parents[1] / "far")
    options = {"endpointurl": f"http://{bucket}", "region": "us-east-1"}
    run(revised, "dvc", "remote", "modify", "--quiet", "far", "url", "s3://bucket/far")
    for name, value in options.items():
        run(revised, "dvc", "remote", "modify", "--quiet", "far", name, value)
    shutil.rmtree(cache(revised))

    result = features(open_store(revised, "v1"))

    assert result.keys() == expected.keys()
    assert all(np.array_equal(result[name], expected[name]) for name in result)
    path = unlisted(revised, "v1", "features/look/_manifest.json")
    theirs = f"{base}/{path.relative_to(revised.parent / '.dvc' / 'cache').as_posix()}"
    with system.open_output_stream(theirs) as stream:
        stream.write(b"damaged")
    path.unlink()
    with pytest.raises(PipelineError, match="far: what it has is damaged"):
        open_store(revised, "v1")["look"].entries  # noqa: B018
    system.delete_file(theirs)
    with pytest.raises(PipelineError, match="far: it has no such file"):
        open_store(revised, "v1")["look"].entries  # noqa: B018


def test_a_manifest_of_another_time_is_not_called_damaged(revised: Path) -> None:
    path = revised / "data" / "features" / "look" / "_manifest.json"
    old = json.loads(path.read_text()) | {"schema": 1}
    for entry in old["parts"]:
        del entry["md5"]
    path.unlink()
    path.write_text(json.dumps(old))
    keep(revised, "an older form")
    with pytest.raises(PipelineError, match=r"manifest\.json of revision HEAD is in form 1"):
        open_store(revised, "HEAD")["look"].entries  # noqa: B018


def test_a_damaged_object_of_a_remote_is_refused(revised: Path) -> None:
    far = revised.parents[1] / "far"
    path = unlisted(revised, "v1", "features/look/_manifest.json")
    theirs = far / path.relative_to(revised.parent / ".dvc" / "cache")
    theirs.chmod(0o644)
    theirs.write_bytes(bytes(theirs.stat().st_size))
    path.unlink()
    with pytest.raises(PipelineError, match="far: what it has is damaged"):
        open_store(revised, "v1")["look"].entries  # noqa: B018
    assert not list(path.parent.glob(f"*{path.name}*"))


def test_another_remote_is_asked_where_the_default_fails(revised: Path) -> None:
    run(revised, "dvc", "remote", "add", "--quiet", "--default", "gone", "ssh://nowhere.invalid/x")
    shutil.rmtree(cache(revised))
    assert len(open_store(revised, "v1")["look"].to_numpy()) == COUNT - 1


@pytest.mark.parametrize("name", ["config", "config.local"])
@pytest.mark.parametrize("quoted", [False, True])
def test_the_cache_is_where_dvc_s_configuration_says(alone: Path, name: str, quoted: bool) -> None:
    away = alone.parents[1] / "a cache"
    (alone.parent / ".dvc" / "cache").rename(away)
    message = '"../../a cache"' if quoted else str(away)
    (alone.parent / ".dvc" / name).write_text(
        f"[core]\n    autostage = true\n[cache]\n    dir = {message}\n"
    )
    assert len(open_store(alone, "v1")["look"].to_numpy()) == COUNT - 1


def test_a_cache_that_the_user_s_configuration_names_is_found(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = alone.parents[1] / "shared"
    (alone.parent / ".dvc" / "cache").rename(away)
    mine = alone.parents[1] / "mine"
    mine.mkdir()
    (mine / "config").write_text(f"[cache]\n    dir = {away}\n")
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(mine))
    assert len(open_store(alone, "v1")["look"].to_numpy()) == COUNT - 1


def test_threads_fetch_at_once_and_a_store_travels(revised: Path) -> None:
    shutil.rmtree(cache(revised))
    store = pickle.loads(pickle.dumps(open_store(revised, "v1")))
    result: list[int] = []
    threads = [
        threading.Thread(target=lambda: result.append(len(store["look"].to_numpy(view=None))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert result == [3 * (COUNT - 1)] * 8


def test_a_forked_process_fetches_for_itself(revised: Path) -> None:
    shutil.rmtree(cache(revised))
    code = f"""if True:
        import os
        from pipeline.store import open_store
        store = open_store({str(revised)!r}, "v1")
        assert len(store["sound"].to_numpy())
        child = os.fork()
        if not child:
            os._exit(0 if store["look"].to_numpy().shape == ({COUNT - 1}, 5) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_dvc_is_loaded_only_to_fetch(revised: Path) -> None:
    code = f"""if True:
        import sys
        from pipeline.store import open_store
        store = open_store({str(revised)!r}, "v1")
        for name in store:
            store[name].to_numpy(), store[name].shape, store[name].provenance
        assert not {{"dvc", "torch", "duckdb", "pandas"}} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_project_that_ran_is_read_at_its_commit_as_it_lies(project: Path, tmp_path: Path) -> None:
    here = tmp_path / "project"
    shutil.copytree(project, here, symlinks=True)
    run(here, "git", "add", "dvc.lock")
    run(here, "git", *AUTHOR, "commit", "--quiet", "--message", "ran")
    ours, theirs = open_store(here), open_store(here, "HEAD")
    assert list(ours) == list(theirs)
    for name in ours:
        assert np.array_equal(ours[name].to_numpy(view=None), theirs[name].to_numpy(view=None))
        assert ours[name].provenance == theirs[name].provenance
    query = "SELECT * FROM predictions ORDER BY ALL"
    assert ours.sql(query).equals(theirs.sql(query))
