"""What is kept is kept by its meaning, what nobody needs goes, and every kept revision is whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from pyarrow import fs

from pipeline.core.errors import PipelineError
from pipeline.nightly import retention
from pipeline.nightly.ledger import Event, Ledger, write_ledger
from pipeline.nightly.retention import Keep, sweep
from pipeline.params.aliases import Alias, write_aliases
from pipeline.store.trees.remote import DvcObject, object_path
from tests.command import call
from tests.dataset import AUTHOR
from tests.s3 import s3_server

CACHE = Path(".dvc", "cache", "files", "md5")


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *AUTHOR, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def put_object(data: bytes, suffix: str = "") -> str:
    md5 = hashlib.md5(data).hexdigest() + suffix
    path = CACHE / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return md5


def put_version(name: str) -> None:
    """A dvc.lock of a folder with two files, of which one is in all versions, and a batch."""
    files = [put_object(b"in all"), put_object(f"only in {name}".encode())]
    listing = json.dumps([{"md5": md5, "relpath": md5[:4]} for md5 in files])
    folder = put_object(listing.encode(), ".dir")
    out = {"path": "data/features", "md5": folder, "hash": "md5"}
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": {"extract": {"outs": [out]}}}))
    batch = put_object(f"batch of {name}".encode())
    place = Path("data", "raw", "shapes")
    place.mkdir(parents=True, exist_ok=True)
    for path in place.glob("*.dvc"):
        path.unlink()
    (place / f"{name}.dvc").write_text(yaml.safe_dump({"outs": [{"path": name, "md5": batch}]}))


def standing(folder: Path = CACHE) -> set[str]:
    """The versions of which the cache, or a remote, has the file that is theirs alone."""
    names = ("branch", *(f"night {number}" for number in range(1, 8)), "never", "worked on")
    return {
        name
        for name in names
        if Path(
            folder,
            (md5 := hashlib.md5(f"only in {name}".encode()).hexdigest())[:2],
            md5[2:],
        ).is_file()
    }


@pytest.fixture
def project(inside: Path) -> dict[str, str]:
    """Seven nights: 1 was in use once, 2 is so, 4 is as 3, the others are plain; a branch."""
    git("init", "--quiet", "--initial-branch=main")
    Path(".dvc").mkdir()
    Path("params.yaml").write_text("")
    commits = {}
    git("commit", "--allow-empty", "--quiet", "--message", "start")
    git("switch", "--quiet", "--create", "other")
    put_version("branch")
    git("add", "--all", "--", "dvc.lock", "data")
    git("commit", "--quiet", "--message", "branch")
    git("switch", "--quiet", "main")
    days = ("01-01", "01-02", "01-03", "01-04", "02-01", "02-02", "03-01")
    for number, day in enumerate(days, 1):
        put_version("night 3" if number == 4 else f"night {number}")
        git("add", "--all", "--", "dvc.lock", "data")
        git("commit", "--allow-empty", "--quiet", "--message", day)
        git("tag", f"nightly/2026-{day}")
        commits[day] = git("rev-parse", "HEAD")
    write_aliases(Path(), {"champion": Alias(model="gated", revision=commits["01-02"])})
    promoted = Event("", "promoted", "2026-01-01", "", "", alias="champion", model="gated")
    write_ledger(Ledger((Event(**{**vars(promoted), "revision": commits["01-01"]}),)))
    put_version("never")
    put_version("worked on")
    return commits


def test_nights_are_counted_by_versions_of_their_data(project: dict[str, str]) -> None:
    swept = sweep(Keep(nights=2, months=0), remove=True, grace=0)
    # 7 and 6 are the last two; in use: 1 and 2; the work tree and a branch.
    kept = {"branch", "night 1", "night 2", "night 6", "night 7", "worked on"}
    assert standing() == kept
    reasons = {revision.name: revision.reason for revision in swept.revisions}
    assert reasons == {
        "HEAD": "checked out",
        "other": "branch",
        "champion": "in use",
        "2026-01-01": "promoted",
        "nightly/2026-02-02": "night",
        "work tree": "work tree",
    }
    assert all(not revision.lacking for revision in swept.revisions)
    assert sum(swept.kept_bytes.values()) == sum(path.stat().st_size for path in CACHE.glob("*/*"))


def test_the_last_version_of_each_month_stays(project: dict[str, str]) -> None:
    sweep(Keep(nights=1, months=3), remove=True, grace=0)
    assert standing() >= {"night 7", "night 6", "night 3"}
    assert "night 5" not in standing()


def test_equal_versions_count_once(project: dict[str, str]) -> None:
    """The last five are nights 7, 6, 5, and 4, which is as 3, and 2."""
    sweep(Keep(nights=4, months=0), remove=True, grace=0)
    assert "night 3" in standing()


def test_a_dry_run_removes_nothing_and_says_the_bytes(project: dict[str, str]) -> None:
    before = {path: path.read_bytes() for path in CACHE.glob("*/*")}
    code, output = call("gc", "--keep-nights", "1", "--keep-months", "0", "--dry-run")
    assert code == 0, output
    assert "would go\t0\t0" in output, "all was written just now"
    asked = ("--keep-nights", "1", "--keep-months", "0", "--grace-hours", "0")
    code, output = call("gc", *asked, "--dry-run")
    said = {line.split("\t")[0]: line.split("\t")[1:] for line in output.splitlines()}
    assert {path: path.read_bytes() for path in CACHE.glob("*/*")} == before
    code, output = call("gc", *asked)
    assert code == 0, output
    gone = before.keys() - {*CACHE.glob("*/*")}
    assert said["would go"] == [str(len(gone)), str(sum(len(before[path]) for path in gone))]
    assert gone


def test_a_kept_revision_whose_listing_is_gone_stops_it(project: dict[str, str]) -> None:
    """Nobody knows what it needs, so nothing may go."""
    document = yaml.safe_load(Path("dvc.lock").read_text())
    md5 = document["stages"]["extract"]["outs"][0]["md5"]
    (CACHE / md5[:2] / md5[2:]).unlink()
    before = {*CACHE.glob("*/*")}
    with pytest.raises(PipelineError, match="the listing"):
        sweep(Keep(nights=1, months=0), remove=True, grace=0)
    assert {*CACHE.glob("*/*")} == before


def test_what_a_revision_lacked_before_is_told(project: dict[str, str]) -> None:
    md5 = hashlib.md5(b"only in night 2").hexdigest()
    (CACHE / md5[:2] / md5[2:]).unlink()
    swept = sweep(Keep(nights=1, months=0), remove=True, grace=0)
    lacking = {revision.name: revision.lacking for revision in swept.revisions if revision.lacking}
    assert lacking == {"champion": {md5}}


@pytest.fixture
def remote(project: dict[str, str]) -> Path:
    """A remote in a folder that has what the cache has, and as much of a clone's that has not
    told anybody yet."""
    config = "[core]\n    remote = store\n['remote \"store\"']\n    url = ../remote\n"
    Path(".dvc", "config").write_text(config)
    folder = Path("remote", "files", "md5")
    shutil.copytree(CACHE, folder)
    for path in folder.glob("*/*"):
        os.utime(path, (1, 1))
    (folder / "ab").mkdir(exist_ok=True)
    (folder / "ab" / ("c" * 30)).write_bytes(b"of another clone")
    return folder


def test_a_remote_keeps_what_the_cache_would_and_each_kept_revision_opens_from_it(
    project: dict[str, str], remote: Path
) -> None:
    """A failed night, which names what others have, takes nobody's place."""
    git("tag", "nightly/2026-03-02")
    before = {*CACHE.glob("*/*")}
    code, output = call("gc", "--keep-nights", "2", "--keep-months", "0", "--remote", "store")
    assert code == 0, output
    assert "kept: written lately\t1\t16" in output, "it may be of a night elsewhere"
    assert {*CACHE.glob("*/*")} == before, "the cache is not the remote"
    assert standing(remote) == {"branch", "night 1", "night 2", "night 6", "night 7", "worked on"}
    shutil.rmtree(CACHE)
    for kept in sweep(Keep(nights=2, months=0), remove=False, grace=0).revisions:
        for md5 in kept.objects:
            assert object_path(Path(), DvcObject(md5), kept.name, check=True).is_file()
    sweep(Keep(nights=2, months=0), remove=True, remote="default", grace=0)
    assert not (remote / "ab" / ("c" * 30)).exists()


@pytest.mark.slow
def test_a_remote_on_s3_is_swept(
    project: dict[str, str], remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dvc_s3", reason="DVC reaches S3 through dvc-s3, which is not installed")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with s3_server() as address:
        far = f"s3://bucket/far?scheme=http&endpoint_override={address}&region=us-east-1"
        system, base = fs.FileSystem.from_uri(f"{far}&allow_bucket_creation=true")
        system.create_dir("bucket")
        fs.copy_files("remote", base, destination_filesystem=system)
        config = Path(".dvc", "config").read_text().replace("../remote", "s3://bucket/far")
        config += f"    endpointurl = http://{address}\n    region = us-east-1\n"
        Path(".dvc", "config").write_text(config)
        keep = Keep(nights=1, months=0)
        assert sweep(keep, remove=True, remote="store").removed == {}, "all was put there just now"
        swept = sweep(keep, remove=True, remote="store", grace=0)
        left = fs.FileSelector(f"{base}/files/md5", recursive=True)
        names = {info.base_name for info in system.get_file_info(left) if info.is_file}
    assert len(swept.removed) == len(list(remote.glob("*/*"))) - len(names)
    assert hashlib.md5(b"only in night 3").hexdigest() in swept.removed
    assert hashlib.md5(b"only in night 2").hexdigest()[2:] in names, "it is in use"


def test_it_waits_for_dvc(project: dict[str, str]) -> None:
    lock = Path(".dvc", "tmp", "rwlock")
    lock.parent.mkdir()
    lock.write_text('{"data": {"write": {"pid": 1, "cmd": "dvc repro"}}}')
    with pytest.raises(PipelineError, match="DVC is at work"):
        sweep(Keep(), remove=True)
    lock.write_text("")
    sweep(Keep(), remove=False)


def test_a_loss_is_said(project: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a kept object go, be it by another hand, the sweep ends in an error."""
    real = retention._Cache.remove

    def greedy(cache: retention._Cache, md5: str) -> None:
        real(cache, hashlib.md5(b"in all").hexdigest())

    monkeypatch.setattr(retention._Cache, "remove", greedy)
    with pytest.raises(PipelineError, match="HEAD lost 1 objects"):
        sweep(Keep(nights=1, months=0), remove=True, grace=0)
