from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.core.files.lock import locked
from pipeline.integrity.unit import Unit
from pipeline.integrity.validate import next_share, scrub
from pipeline.parts.plan import PartsPlan
from pipeline.parts.serial import Serial
from pipeline.parts.up_to_date import is_up_to_date, skip_if_up_to_date
from pipeline.store import open_store
from pipeline.store.nearest.index import id_index
from tests.dataset import run
from tests.integrity.whole import BATCH, KINDS, chosen, flip, whole
from tests.toy import Square, function, put, rows

__all__ = ["whole"]
CACHE = Path(".dvc/cache/files/md5")


def call(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["validate", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    return done.output


def files() -> list[str]:
    return [one.file for one in scrub().problems]


def test_a_whole_project_has_no_problem(whole: Path) -> None:
    output = call()
    assert "0 problem(s)" in output
    assert "nothing says" not in output
    result = scrub()
    read = {
        path for path in Path("data").rglob("[!.]*") if path.is_file() and ".dvc" not in path.name
    }
    read |= set(Path(".pipeline/store").iterdir())
    assert sum(place.files for place in result.places.values()) == len(read)
    assert sum(p.bytes for p in result.places.values()) == sum(f.stat().st_size for f in read)


def test_a_bit_that_turned_over_is_named_and_mended(whole: Path) -> None:
    """One in each kind of file at once, size and times as they were."""
    paths = {kind: chosen(pattern) for kind, pattern in KINDS.items()}
    before = {path: digest_file(path) for path in paths.values()}
    for path in paths.values():
        flip(path)
    assert sorted(files()) == sorted(map(str, paths.values()))
    call(code=1)
    assert f"{len(paths)} problem(s), {len(paths)} mended" in call("--repair")
    assert not paths["sidecar"].exists()
    id_index(open_store()["look"], 0, "digest")
    assert {path: digest_file(path) for path in paths.values()} == before
    call()


def test_what_no_copy_is_of_is_removed_for_its_stage(whole: Path) -> None:
    """Also from DVC's cache, which would else keep the damaged object for good."""
    shutil.rmtree("../far")
    made = {kind: chosen(KINDS[kind]) for kind in KINDS if kind not in ("raw", "sidecar")}
    md5s = {digest_file(path, "md5") for path in made.values()}
    objects = [CACHE / md5[:2] / md5[2:] for md5 in md5s]
    for path in (*objects, *made.values()):
        path.chmod(0o644)
        flip(path)
    output = call("--repair")
    assert output.count("removed, having no good copy: `dvc repro` makes it again") == len(made)
    assert not [path for path in (*made.values(), *objects) if path.exists()]


def test_what_is_removed_is_missing_until_it_is_made(whole: Path) -> None:
    path = chosen(KINDS["clean"])
    shutil.rmtree(CACHE)
    shutil.rmtree("../far")
    flip(path)
    call("--repair")
    assert f"{path}: it is missing" in call(code=1)
    put(Path("data/clean/image"), Square(function()), rows([*range(2, 11)]))
    call()


def test_a_raw_file_without_a_copy_stays(whole: Path) -> None:
    path = Path(BATCH, "a.txt")
    shutil.rmtree("../far")
    flip(path)
    md5 = digest_file(path, "md5")
    for one in CACHE.glob("??/*"):
        if one.read_bytes() == b"a raw file":
            one.unlink()
    output = call("--repair", code=1)
    assert "copy it anew from where it came" in output
    assert digest_file(path, "md5") == md5


def test_what_the_cache_lost_comes_from_the_remote(whole: Path) -> None:
    path = chosen(KINDS["features"])
    before = path.read_bytes()
    shutil.rmtree(CACHE)
    flip(path)
    assert "brought back from a remote" in call("--repair")
    assert path.read_bytes() == before


def test_memories_of_size_and_time_do_not_answer(whole: Path) -> None:
    """Nor do they, after the repair, take what was removed for what stands."""
    out = Path("data/features/toy")
    plan = PartsPlan(
        out, Square(function()), lambda: rows([1, 2, 3]), lambda: [], (2, 10**6),
        lambda _: Serial(), 0.0,
    )  # fmt: skip
    skip_if_up_to_date("toy", plan.key, plan.outs, plan.run)
    for path in out.iterdir():
        os.utime(path, (1e9, 1e9))
    assert is_up_to_date("toy", plan.key, plan.outs) is not None
    plan.run()
    path = chosen("data/features/toy/*.parquet")
    whole_bytes = path.read_bytes()
    flip(path)
    assert is_up_to_date("toy", plan.key, plan.outs) is not None
    assert files() == [str(path)]
    call("--repair")
    assert is_up_to_date("toy", plan.key, plan.outs) is None
    assert plan.run().computed == 1
    assert path.read_bytes() == whole_bytes
    call()


def test_dvc_sees_what_was_removed_and_nothing_in_what_was_brought_back(whole: Path) -> None:
    flip(chosen(KINDS["clean"]))
    call("--repair")
    assert json.loads(run(whole, "dvc", "status", "--json").stdout) == {}
    shutil.rmtree("../far")
    md5 = digest_file(chosen(KINDS["features"]), "md5")
    (CACHE / md5[:2] / md5[2:]).unlink()
    flip(chosen(KINDS["features"]))
    call("--repair")
    assert list(json.loads(run(whole, "dvc", "status", "--json").stdout)) == ["features-look"]


def test_the_cache_is_read_and_mended_when_asked(whole: Path) -> None:
    md5 = digest_file(chosen(KINDS["features"]), "md5")
    damaged = CACHE / md5[:2] / md5[2:]
    before = damaged.read_bytes()
    damaged.chmod(0o644)
    flip(damaged)
    call()
    assert str(damaged.absolute()) in call("--cache", code=1)
    assert "replaced by data/" in call("--cache", "--repair")
    assert damaged.read_bytes() == before
    assert damaged.stat().st_mode & 0o777 == 0o444
    call("--cache")


def test_an_object_without_a_copy_here_comes_from_the_remote(whole: Path) -> None:
    listing = next(CACHE.glob("??/*.dir"))
    before = listing.read_bytes()
    listing.chmod(0o644)
    flip(listing)
    assert "replaced by that of a remote" in call("--cache", "--repair")
    assert listing.read_bytes() == before


def test_a_remote_is_read_and_mended_when_asked(whole: Path) -> None:
    damaged = sorted(Path("../far").rglob("*"))[-1]
    before = damaged.read_bytes()
    damaged.chmod(0o644)
    flip(damaged)
    call("--cache")
    assert damaged.name in call("--remote", "default", code=1)
    assert "replaced by that of DVC's cache" in call("--remote", "far", "--repair")
    assert damaged.read_bytes() == before
    assert "there are: far" in call("--remote", "near", code=1)


def test_shares_of_all_bytes_cover_everything(whole: Path) -> None:
    damaged = [chosen(pattern) for kind, pattern in KINDS.items() if "manifest" not in kind]
    for path in damaged:
        flip(path)
    total = sum(place.bytes for place in scrub().places.values())
    result, read = set(), []
    for _ in range(4):
        done = scrub(share=Fraction(1, 4))
        read.append(sum(place.bytes for place in done.places.values()))
        result |= {one.file for one in done.problems}
    assert result == set(map(str, damaged))
    assert max(read) < total


@pytest.mark.parametrize("share", ["0", "-1/2", "2", "x", "1/0"])
def test_a_share_is_a_part_of_one(inside: Path, share: str) -> None:
    assert "give a share above 0 and at most 1" in call(f"--share={share}", code=1)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_any_sizes_are_covered_by_so_many_shares(count: int) -> None:
    sizes = [0, 5, 0, 1000, 3, 3, 80, 0]
    units = [Unit("", str(i), size, str, str) for i, size in enumerate(sizes)]
    for start in ("", "3", "7", "x"):
        after, seen = start, set()
        for _ in range(count):
            chosen_ = next_share(units, Fraction(1, count), after)
            after = chosen_[-1].name
            seen |= {unit.name for unit in chosen_}
        assert seen == {unit.name for unit in units}


def test_json_says_place_by_place_what_is_wrong(whole: Path) -> None:
    path = chosen(KINDS["report"])
    flip(path)
    done = CliRunner().invoke(app, ["validate", "--json"])
    places = {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}
    (problem,) = places.pop("data/reports")["problems"]
    assert problem["file"] == str(path)
    assert problem["mended"] == ""
    assert not any(place["problems"] for place in places.values())


def test_an_output_that_is_not_here_is_told_and_no_problem(whole: Path) -> None:
    shutil.rmtree("data/features/sound")
    assert "`dvc checkout` brings it: data/features/sound" in call()


def test_a_part_of_a_run_that_was_killed_is_no_problem(whole: Path) -> None:
    shutil.copy(chosen(KINDS["clean"]), "data/clean/image/0.parquet")
    assert "1 file(s) of which nothing says what they held" in call()


def test_outputs_newer_than_dvc_lock_are_no_problem(whole: Path) -> None:
    out = Path("data/clean/image")
    work = Square(function(other=1))
    skip_if_up_to_date("clean/image", "key", [out], lambda: put(out, work, rows([*range(20)])))
    call()


def test_a_project_without_dvc_is_read_by_its_manifests(inside: Path) -> None:
    put(Path("data/clean/image"), Square(function()), rows([1, 2]))
    path = chosen(KINDS["clean"])
    flip(path)
    assert files() == [str(path)]
    with pytest.raises(PipelineError, match="no DVC project"):
        scrub(with_cache=True)
    chosen("data/clean/image/_manifest.json").write_text("{")
    assert "it is no manifest" in call("--repair")
    assert files() == []


def test_what_a_remote_may_have_is_not_removed(whole: Path) -> None:
    """One that did not answer may have the only good copy."""
    path = chosen(KINDS["model"])
    shutil.rmtree(CACHE)
    run(whole, "dvc", "remote", "modify", "far", "url", "s3://bucket/x")
    run(whole, "dvc", "remote", "modify", "far", "endpointurl", "http://127.0.0.1:9")
    flip(path)
    assert f"{path}: its MD5 is" in (output := call("--repair", code=1))
    assert "not mended: " in output
    assert path.exists()


def test_what_is_being_written_is_left_alone(whole: Path) -> None:
    path = chosen(KINDS["clean"])
    flip(path)
    with locked(path.parent):
        assert "not mended: another process is writing data/clean/image" in call("--repair", code=1)
    assert path.exists()


def test_what_may_not_be_read_is_not_taken_for_damaged(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(number: int) -> Callable[..., str]:
        def digest(path: Path, *_: object) -> str:
            if path.name == "curated.json":
                raise OSError(number, os.strerror(number), str(path))
            return digest_file(path, "md5")

        return digest

    monkeypatch.setattr("pipeline.store.trees.tracked.digest_file", failing(errno.EMFILE))
    assert "Too many open files" in call("--repair", code=1)
    monkeypatch.setattr("pipeline.store.trees.tracked.digest_file", failing(errno.EIO))
    assert "the disk fails: Input/output error; brought back" in call("--repair")


def test_a_manifest_that_is_damaged_and_reads_well_is_not_followed(whole: Path) -> None:
    """It would say of whole parts that they are damaged."""
    path = chosen(KINDS["a manifest"])
    digit = path.read_bytes().index(b'"md5": "') + 8
    data = bytearray(path.read_bytes())
    data[digit] = ord("1") if data[digit] == ord("0") else ord("0")
    path.write_bytes(data)
    assert files() == [str(path)]


def test_a_run_that_was_stopped_goes_on_from_there(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(label: str, items: Iterable[tuple[Unit, str, int]], total: int) -> Iterator[object]:
        for i, (unit, what, _) in enumerate(items):
            if i == 5:
                raise KeyboardInterrupt
            yield unit, what

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.integrity.validate.reading_bytes", stopped)
        assert "the next run goes on from here" in call("--share=1/1", code=130)
    name = json.loads(Path(".pipeline/scrubbed.json").read_text())["after"]
    flip(path := sorted(path for path in Path("data").rglob("*.parquet") if str(path) > name)[0])
    assert str(path) in call("--share=1/100", code=1)


def test_a_remote_that_has_nothing_yet_is_whole(whole: Path) -> None:
    run(whole, "dvc", "remote", "add", "--quiet", "near", "../near")
    call("--remote", "near")
