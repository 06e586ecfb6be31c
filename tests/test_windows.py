"""Films of which every picture, tone and word is known, cut into windows, from files to the store.

What stands in a window's rows is what is seen, heard and said in [start, end), to the sample.
"""

from __future__ import annotations

import csv
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline.core.records import UNLABELLED
from pipeline.encoders import encoder_of
from pipeline.inference.encoding import Encoding
from pipeline.inference.inputs import samples_of
from pipeline.inference.samples import read_asset
from pipeline.modalities import content_of
from pipeline.nightly.simulation import faults
from pipeline.nightly.simulation.faults import Fault
from pipeline.nightly.simulation.landings import pieces_of, put_landing
from pipeline.nightly.simulation.landings import samples_of as landing_samples
from pipeline.params import load, parse
from pipeline.parts import manifest
from pipeline.project.model_files import sections_of_features
from pipeline.stages.graph import items
from pipeline.stages.run import find
from pipeline.stages.verify import verify
from pipeline.store import open_store
from pipeline.store.diff import store_difference
from pipeline.store.rejects import collect, reject_folders
from pipeline.store.trees.tree import WorkTree
from tests.command import call
from tests.dataset import run as command_line
from tests.modalities.video import known
from tests.modalities.video.films import numbers
from tests.test_crash import SITE
from tests.test_docs import commands

pytest.importorskip("av")

SECONDS = 5
STAGES = ("ingest", "clean", "augment", "extract", "curate")


def params() -> dict[str, Any]:
    kept = {"reject_limit": 0.0}
    return {
        "seed": 0,
        "sources": {
            "films": {
                "kind": "folder",
                "targets": {"second": "second"},
                "from_video": ["audio", "image", "text"],
            }
        },
        "fetch": {},
        "modalities": ["audio", "image", "text", "video"],
        "targets": {"second": {"kind": "multiclass"}},
        "clean": {
            "audio": {**kept, "level_dbfs": 0, "trim_db": None},
            "image": {**kept, "min_contrast": 0},
            "text": kept,
            "video": {**kept, "every_ms": 100},
        },
        "augment": {name: {"views": 0} for name in ("audio", "image", "text", "video")},
        "features": {
            "heard": {"modality": "audio", "encoder": "mfcc"},
            "heard_in_time": {
                "modality": "audio",
                "encoder": "windows",
                "seconds": 0.5,
                "hop": 0.5,
                "windows": 4,
            },
            "look": {"modality": "image", "encoder": "pixels"},
            "motion": {"modality": "video", "encoder": "motion"},
            "seen_in_time": {
                "modality": "video",
                "encoder": "frames",
                "pictures": {"encoder": "colour_hog"},
                "frames": 4,
                "pooling": "sequence",
                "times": True,
            },
            "words": {"modality": "text", "encoder": "hashing"},
        },
        "curate": {"min_components_per_class": 1, "max_component_share": 1.0},
        "parts": {"mean_rows": 3},
        "models": {},
        "execution": {"executor": "serial"},
    }


def run(folder: Path) -> None:
    loaded = load()
    for stage in STAGES:
        for item in items(loaded, stage):
            find(loaded, stage, item)(loaded, item).run()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One film has words in it, one in a file beside it, and one has neither words nor sound."""
    folder = tmp_path_factory.mktemp("windows")
    raw = folder / "data" / "raw" / "films" / "first"
    raw.mkdir(parents=True)
    (raw / "full.mkv").write_bytes(known.film(SECONDS, words=True))
    (raw / "beside.mkv").write_bytes(known.film(SECONDS))
    (raw / "beside.srt").write_text(known.subtitles(3))
    (raw / "mute.mp4").write_bytes(known.film(2, "mp4", sound=""))
    code, output = call("segment", str(raw), "--seconds", "2", "--hop", "1")
    assert (code, output.rpartition(": ")[2].strip()) == (0, "9 rows, of 3 films")
    table = raw / "metadata.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "second"])
        writer.writeheader()
        writer.writerows({**row, "second": row["start"]} for row in rows)
    (folder / "params.yaml").write_text(yaml.safe_dump(params()))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run(folder)
    return folder


def contents(project: Path, modality: str) -> dict[tuple[str, int], Any]:
    """(film, second at which the window begins) → what is clean of it."""
    data, unpack = project / "data", content_of(modality).unpack
    clean = manifest.read(data / "clean" / modality, ["digest", "data", "shape"]).to_pylist()
    made = {row["digest"]: unpack(row["data"], row["shape"]) for row in clean}
    samples = manifest.read(data / "samples").to_pylist()
    return {
        (row["group"].partition(".")[0], int(float(row["target.second"]))): made[row[modality]]
        for row in samples
        if row[modality] in made
    }


def test_each_window_shows_what_is_seen_in_it(project: Path) -> None:
    clips, pictures = contents(project, "video"), contents(project, "image")
    assert clips.keys() == pictures.keys()
    assert len(clips) == 9
    for (_, start), clip in clips.items():
        assert numbers(clip) == [(10 * start + place) % 32 for place in range(20)]
        assert clip.times == tuple(range(0, 2000, 100))
        assert clip.duration == 2000
    for (_, start), picture in pictures.items():
        assert round((float(picture.mean()) - 40) / 6) == (10 * start + 10) % 32


def test_each_window_sounds_as_what_is_heard_in_it(project: Path) -> None:
    sounds = contents(project, "audio")
    assert sorted(sounds) == [(film, start) for film in ("beside", "full") for start in range(4)]
    for (_, start), samples in sounds.items():
        assert len(samples) == 2 * known.RATE
        for second, heard in enumerate(np.split(samples, 2)):
            assert np.abs(np.fft.rfft(heard)).argmax() == known.pitch(start + second)


def test_what_is_seen_and_heard_in_a_window_is_on_one_axis_of_time(project: Path) -> None:
    """Each half second of sound stands at its middle, as the picture does that is seen then."""
    joined = open_store(project).join(["heard_in_time", "seen_in_time"])
    both = joined.present["heard_in_time"] & joined.present["seen_in_time"]
    assert both.sum() == 8
    heard, seen = (joined.values[name][both][..., -1] for name in joined.values)
    np.testing.assert_allclose(heard, [[0.25, 0.75, 1.25, 1.75]] * 8)
    np.testing.assert_allclose(seen, heard, atol=0.05)
    tones = known.tones(5).astype(np.float32) / 8000
    mfcc = encoder_of("mfcc")
    encoder = mfcc.Encoder(mfcc.Options())
    for row in np.flatnonzero(both):
        start = float(joined.targets["second"][row])
        middle = round((start + 1.25) * known.RATE)
        expected, _ = encoder.encode([tones[middle - known.RATE // 4 : middle + known.RATE // 4]])
        values = joined.values["heard_in_time"][row, 2, :-1]
        assert int(values[20:84].argmax()) == int(expected[0, 20:84].argmax())


def test_each_window_has_the_words_that_are_said_in_it(project: Path) -> None:
    words = contents(project, "text")
    said = {start: f"{known.WORDS[start]} {known.WORDS[start + 1]}" for start in range(4)}
    assert {start: text for (film, start), text in words.items() if film == "full"} == said
    beside = {start: text for (film, start), text in words.items() if film == "beside"}
    assert beside == {0: "zero one", 1: "one two", 2: "two"}


def test_what_a_window_lacks_is_counted_and_fails_nothing(project: Path) -> None:
    refused = collect(
        WorkTree(project / "data"), reject_folders(["audio", "image", "text", "video"], [])
    )
    absent = sorted((one.stage, one.reason) for one in refused if one.reason != UNLABELLED)
    assert absent == [("clean/audio", "absent"), *[("clean/text", "absent")] * 2]


def test_windows_of_a_film_are_joined_in_their_order_with_what_is_present(project: Path) -> None:
    store = open_store(project)
    sets = ["heard", "look", "motion", "words"]
    joined, alone = store.join(sets, align="window"), store.join(sets)
    assert joined.files == [
        f"films/first/{name}" for name in ("beside.mkv", "full.mkv", "mute.mp4")
    ]
    assert joined.seen.sum(1).tolist() == [4, 4, 1]
    assert joined.times[0].tolist() == [[0, 2000], [1000, 3000], [2000, 4000], [3000, 5000]]
    assert joined.present["words"].tolist() == [[True, True, True, False], [True] * 4, [False] * 4]
    assert joined.present["heard"].tolist() == [[True] * 4, [True] * 4, [False] * 4]
    assert joined.targets["second"][2].tolist() == ["0.000", None, None, None]
    for row, sample_id in enumerate(alone.sample_ids):
        ((film, window),) = np.argwhere(joined.sample_ids == sample_id).tolist()
        for name in sets:
            assert np.array_equal(joined.values[name][film, window], alone.values[name][row])
            assert joined.present[name][film, window] == alone.present[name][row]
    # Windows of a film never straddle splits.
    assert len(set(alone.group)) == 3
    assert len({*zip(alone.group, alone.split, strict=True)}) == 3


def test_a_window_that_is_asked_about_has_the_features_of_its_row(project: Path) -> None:
    store = open_store(project)
    params = parse(sections_of_features(store.tree.params, list(store)))
    film = project / "data" / "raw" / "films" / "first" / "full.mkv"
    (sample,) = samples_of([f"{film}#t=1,3"], load(project / "params.yaml"))
    assert sample.contents.keys() == {"video", "audio", "image", "text"}
    for name in store:
        modality = store[name].modality
        encoding = Encoding(modality, params, [name])
        cleaned = encoding.clean(read_asset(modality, sample.contents[modality]))
        ((values, _),) = encoding.features(name, [cleaned])
        assert values.tobytes() == store[name].get(cleaned["digest"])[0].tobytes()


def test_a_film_that_comes_later_costs_itself_alone(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(project, tmp_path / "grown")
    monkeypatch.chdir(tmp_path / "grown")
    before = {path: path.read_bytes() for path in Path("data/clean").rglob("*.parquet")}
    raw = Path("data/raw/films/second")
    raw.mkdir()
    (raw / "more.mp4").write_bytes(known.film(3, "mp4", sound=""))
    (raw / "metadata.csv").write_text("file_name,second\nmore.mp4,0\n")
    assert call("segment", str(raw), "--seconds", "1.5", "--force")[0] == 0
    loaded = load()
    find(loaded, "ingest", "")(loaded, "").run()
    computed = {m: find(loaded, "clean", m)(loaded, m).run().computed for m in loaded.modalities}
    assert computed == dict.fromkeys(loaded.modalities, 1)
    assert all(path.read_bytes() == data for path, data in before.items())


def test_a_new_window_of_a_known_film_costs_itself_alone(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(project, tmp_path / "grown")
    monkeypatch.chdir(tmp_path / "grown")
    with Path("data/raw/films/first/metadata.csv").open("a") as table:
        table.write("full.mkv,0.500,0.900,0.000\n")
    loaded = load()
    find(loaded, "ingest", "")(loaded, "").run()
    for stage in ("clean", "augment", "extract"):
        for item in items(loaded, stage):
            done = find(loaded, stage, item)(loaded, item).run()
            assert done.computed_rows == (stage != "augment")
    difference = store_difference(open_store(project), open_store("."))
    assert {name: each.counts for name, each in difference.sets.items()} == {
        name: {"added": 1, "removed": 0, "changed": 0} for name in open_store(".")
    }


def test_a_window_is_followed_to_its_film_and_computed_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    store = open_store(project)
    sample = "films/first/full.mkv#t=1,3"
    traced = store.trace(sample)["modalities"]
    assert {each["asset"]["locator"] for each in traced.values()} == {sample}
    loaded = load()
    verified = list(verify(loaded, store, sample))
    assert len(verified) == len(loaded.modalities) + len(store)
    assert all(each.equal for each in verified)


def uncleaned(project: Path, folder: Path, executor: str) -> Path:
    """A copy of the project without clean films, which other processes shall make."""
    shutil.copytree(project, folder)
    here = {**params(), "execution": {"executor": executor, "workers": 2}}
    (folder / "params.yaml").write_text(yaml.safe_dump(here))
    shutil.rmtree(folder / "data" / "clean" / "video")
    return folder


def films(folder: Path) -> dict[str, bytes]:
    """The files of the clean films."""
    paths = (folder / "data" / "clean" / "video").iterdir()
    return {path.name: path.read_bytes() for path in paths}


@pytest.mark.slow
def test_processes_that_are_killed_while_they_write_make_the_same_parts(
    project: Path, tmp_path: Path
) -> None:
    folder = uncleaned(project, tmp_path / "killed", "processes")
    (folder / "marks").mkdir()
    (folder / "sitecustomize.py").write_text(SITE.format(victim="worker", seed="", one_in=1))
    command_line(folder, "pipeline", "stage", "clean", "video")
    assert len(list((folder / "marks").iterdir())) > 1
    assert films(folder) == films(project)


@pytest.mark.slow
def test_ray_makes_the_same_parts(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(uncleaned(project, tmp_path / "ray", "ray"))
    loaded = load()
    assert find(loaded, "clean", "video")(loaded, "video").run().computed > 1
    assert films(Path()) == films(project)


def test_windows_land_together_with_their_film(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    batch = Path("data/raw/films/first")
    pieces = pieces_of(landing_samples(load(), "films", batch), "second")
    assert len(pieces) == 3
    landed = put_landing(
        batch, pieces, Fault("", faults.GOOD), tmp_path / "night", "second", seed=0
    )
    assert landed == {
        (modality, digest)
        for modality in load().modalities
        for digest in manifest.read(Path("data/assets", modality))["digest"].to_pylist()
    }


def test_a_table_is_cut_once_and_never_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_bytes(known.film(3, sound=""))
    (tmp_path / "half.mkv").write_bytes((tmp_path / "a.mkv").read_bytes()[:300])
    table = tmp_path / "metadata.csv"
    table.write_text("sample_id,file_name,mood\nfirst,a.mkv,calm\nsecond,half.mkv,\nthird,,wild\n")
    asked = ("segment", str(tmp_path), "--seconds", "2", "--hop", "2")
    code, output = call(*asked)
    assert (code, "give --force" in output) == (1, True)
    code, output = call(*asked, "--force")
    assert (code, "half.mkv: truncated" in output, "4 rows, of 1 films" in output) == (
        0,
        True,
        True,
    )
    assert table.read_text() == (
        "sample_id,file_name,mood,start,end\n"
        '"first#t=0,2",a.mkv,calm,0.000,2.000\n'
        '"first#t=2,3",a.mkv,calm,2.000,3.000\n'
        "second,half.mkv,,,\n"
        "third,,wild,,\n"
    )
    once = table.read_text()
    assert call(*asked, "--force")[0] == 0
    assert table.read_text() == once
    assert call("segment", str(tmp_path / "none"))[0] == 1


def test_the_manual_cuts_windows_and_shots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scenedetect")
    monkeypatch.chdir(tmp_path)
    films = tmp_path / "films"
    films.mkdir()
    (films / "a.mkv").write_bytes(known.film(5, sound=""))
    tables = []
    for command in commands("docs/video.md"):
        assert call(*shlex.split(command)[1:])[0] == 0
        tables.append((films / "metadata.csv").read_text().splitlines()[1:])
        (films / "metadata.csv").unlink()
    assert tables == [
        ["a.mkv,0.000,2.000", "a.mkv,1.000,3.000", "a.mkv,2.000,4.000", "a.mkv,3.000,5.000"],
        # The pictures' grey leaps back after 32 of them.
        ["a.mkv,0.000,3.200", "a.mkv,3.200,5.000"],
    ]
    code, output = call("segment", "films", "--shots", "guess")
    assert (code, "adaptive" in output) == (1, True)
