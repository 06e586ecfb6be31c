"""A landing is taken once it is whole, by marker, manifest or age, wherever it lies."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyarrow.fs import FileSystem

from pipeline.core.errors import PipelineError
from pipeline.nightly.inbox import Damaged, bring, landings
from pipeline.nightly.options import Inbox
from tests.s3 import s3_server

NOW = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)


def put(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name.replace("_dot_", ".")
        path.write_text(text)


def waits(inbox: Inbox, now: datetime = NOW) -> dict[str, str]:
    return {landing.name: landing.waits for landing in landings("shapes", inbox, now)}


def test_an_inbox_that_is_not_there_has_no_landing(inside: Path) -> None:
    assert landings("shapes", Inbox(root="nowhere"), NOW) == []
    Path("inbox").mkdir()
    Path("inbox/stray.txt").write_text("a file is no landing")
    Path("inbox/.hidden").mkdir()
    assert landings("shapes", Inbox(root="inbox"), NOW) == []


def test_a_marker_says_that_a_landing_is_whole(inside: Path) -> None:
    put(Path("inbox/10"), a_dot_txt="a", _SUCCESS="")
    put(Path("inbox/9"), a_dot_txt="b")
    put(Path("inbox/11"), _SUCCESS="")
    assert waits(Inbox(root="inbox")) == {
        "9": "there is no _SUCCESS yet",
        "10": "",
        "11": "there is no file in it",
    }
    (landing,) = landings("shapes", Inbox(root="inbox"), NOW, only="10")
    assert (landing.files, landing.bytes) == ({"a.txt": 1}, 1)


def test_a_manifest_lists_what_there_must_be(inside: Path) -> None:
    digest = hashlib.sha256(b"a").hexdigest()
    put(Path("inbox/x"), a_dot_txt="a", SHA256SUMS=f"{digest}  a.txt\n{digest} *b.txt\n")
    inbox = Inbox(root="inbox", ready="manifest")
    assert waits(inbox) == {"x": "1 of SHA256SUMS are not there yet: b.txt"}
    put(Path("inbox/x"), b_dot_txt="b", c_dot_txt="c")
    assert waits(inbox) == {"x": "1 are not in SHA256SUMS: c.txt"}
    Path("inbox/x/c.txt").unlink()
    assert waits(inbox) == {"x": ""}
    with pytest.raises(Damaged, match=r"b\.txt is not what the manifest says"):
        bring(landings("shapes", inbox, NOW)[0], Path("staging/files"))
    Path("inbox/x/SHA256SUMS").write_text("no manifest")
    assert "line 1: write" in waits(inbox)["x"]


def test_age_waits_until_nothing_was_written_for_a_while(inside: Path) -> None:
    put(Path("inbox/x"), a_dot_txt="a", b_dot_txt="b")
    inbox = Inbox(root="inbox", ready="age", minutes=10)
    for path, age in (("inbox/x/a.txt", 3600), ("inbox/x/b.txt", 540)):
        moment = NOW.timestamp() - age
        os.utime(path, (moment, moment))
    assert waits(inbox) == {"x": "a file was written in the last 10 minutes"}
    assert waits(inbox, NOW + timedelta(minutes=2)) == {"x": ""}
    assert "from the future" in waits(inbox, NOW - timedelta(days=1))["x"]


def test_a_stamp_tells_a_change_and_content_does_not_ask_for_names(inside: Path) -> None:
    put(Path("inbox/x"), a_dot_txt="a")
    put(Path("inbox/y"), a_dot_txt="a")
    inbox = Inbox(root="inbox", ready="age", minutes=0.001)
    later = datetime.now(UTC) + timedelta(minutes=1)
    first, second = landings("shapes", inbox, later)
    assert bring(first, Path("s/files")) == bring(second, Path("s/files"))
    os.utime("inbox/x/a.txt", (1, 1))
    again, _ = landings("shapes", inbox, later)
    assert again.stamp != first.stamp
    Path("inbox/x/a.txt").write_text("b")
    with pytest.raises(PipelineError, match=r"inbox/x/a\.txt changed since"):
        bring(replace(first, files={"a.txt": 2}), Path("s/files"))


def test_what_leads_out_of_a_landing_is_unfit(inside: Path) -> None:
    put(Path("inbox/x"), a_dot_txt="a", _SUCCESS="", dvc_dot_yaml="")
    Path("inbox/x/out").symlink_to("/etc")
    (landing,) = landings("shapes", Inbox(root="inbox"), NOW)
    assert set(landing.unfit) == {"out", "dvc.yaml"}


def test_an_object_store_is_an_inbox(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with s3_server() as address:
        root = f"s3://bucket/inbox?scheme=http&endpoint_override={address}&region=us-east-1"
        system, base = FileSystem.from_uri(f"{root}&allow_bucket_creation=true")
        system.create_dir("bucket")
        assert landings("shapes", Inbox(root=root), NOW) == []
        for path in ("x/a.txt", "x/sub/b.txt", "x/_SUCCESS", "y/a.txt"):
            with system.open_output_stream(f"{base}/{path}") as stream:
                stream.write(path.encode())
        whole, growing = landings("shapes", Inbox(root=root), NOW)
        assert (whole.files, whole.waits) == ({"a.txt": 7, "sub/b.txt": 11}, "")
        assert growing.waits == "there is no _SUCCESS yet"
        digest = bring(whole, Path("staging/files"))
        assert Path("staging/files/sub/b.txt").read_text() == "x/sub/b.txt"
        assert not Path("staging/files/_SUCCESS").exists()
        assert landings("shapes", Inbox(root=root), NOW, only="x") == [whole]
        assert bring(whole, Path("staging/files")) == digest


def test_a_password_has_no_place_in_a_root() -> None:
    with pytest.raises(ValueError, match="no place for a password"):
        Inbox(root="s3://key:secret@bucket/inbox")
