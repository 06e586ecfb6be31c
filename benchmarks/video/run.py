"""Measure films: `python -m benchmarks.video.run`, or `make bench-video`.

Ways take turns, round after round, each in a process of its own with one thread, and the median
counts. All must give pictures of the same times that look the same.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks import environments, ours
from benchmarks.kernels import PROJECT
from benchmarks.parity import ParityError
from benchmarks.video import clips, table
from benchmarks.video.contenders import EVERY_MS, LIMITS, WAYS
from pipeline.core.files.file_bytes import FileBytes
from pipeline.modalities.video import ffmpeg
from pipeline.modalities.video.container import kind_of
from pipeline.modalities.video.survey import Survey, look_through

HERE = Path(__file__).parents[1]
RESULTS = HERE / "video.json"
# Ways whose packages are peers', in environments of their own.
PEERS = ("decord", "torchcodec")
# Those that give our pixels; others scale by other filters and read other matrices of colour.
EQUAL = ("pyav",)
# Grey levels by which a picture may differ in the mean.
APART = 5.0
STAGES = (("clean", "video"), ("augment", "video"), ("extract", "frames"), ("extract", "motion"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what films cost.")
    parser.add_argument("--package", type=Path, help="moviepy's source distribution, if it is here")
    parser.add_argument("--seconds", type=int, default=30, help="of each film that is decoded")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--films", type=int, default=100, help="short ones, of which 1 % come later"
    )
    parser.add_argument("--work", type=Path, default=HERE / ".work" / "video")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    film = clips.fetch_film(arguments.work.absolute(), arguments.package)
    results = measure(film, arguments.work.absolute(), arguments.seconds, arguments.rounds)
    results["films"] = increment(film, arguments.work.absolute() / "project", arguments.films)
    arguments.results.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.results == RESULTS:
        table.update(PROJECT / "docs" / "performance.md", results)
    print(table.text(results))


def measure(film: Path, work: Path, seconds: int, rounds: int) -> dict[str, Any]:
    """CPU seconds by film and way, and memory; ParityError where pictures differ."""
    films = {
        "bunny": clips.cut(film, 0, seconds, work / f"bunny-{seconds}.mp4"),
        "uneven": clips.put_uneven(seconds, work / f"uneven-{seconds}.mp4"),
    }
    pythons = {way: environments.python(way) for way in PEERS}
    cpu_s: dict[str, dict[str, float]] = {}
    for name, path in films.items():
        duration = survey_of(path).duration
        taken: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way, spent in taken.items():
                python = pythons.get(way, Path(sys.executable))
                out = work / f"{name}-{way}.npz"
                spent.append(_ask(python, way, path, duration, out)["cpu_s"])
        for way in WAYS:
            check_parity(way, work / f"{name}-ours.npz", work / f"{name}-{way}.npz")
        cpu_s[name] = {way: statistics.median(spent) for way, spent in taken.items()}
    minute = clips.cut(film, 0, 60, work / "minute.mp4")
    memory = {
        name: _ask(Path(sys.executable), "memory", path, 0, work)
        for name, path in (("one", minute), ("ten", film))
    }
    return {
        "seconds": dict.fromkeys(films, seconds),
        "rounds": rounds,
        "cpu_s": cpu_s,
        "memory": memory,
    }


def survey_of(film: Path) -> Survey:
    data = FileBytes(film)
    survey, _ = look_through(data, kind_of(data), LIMITS)
    return survey


def _ask(python: Path, way: str, film: Path, duration: int, out: Path) -> dict[str, float]:
    command = [str(python), "-m", "benchmarks.video.contenders", way]
    command += [str(film), str(duration), str(out)]
    environment = ours.environment()
    if way == "torchcodec":
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(map(str, libraries()))
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def libraries() -> list[Path]:
    """Where the libraries lie that torchcodec takes from the system: FFmpeg's, as PyAV has them.

    So both decode by one build.
    """
    folder = environments.FOLDER / "torchcodec" / "ffmpeg"
    folder.mkdir(exist_ok=True)
    brought = Path(ffmpeg.library().__file__).parents[1] / "av.libs"
    for path in brought.glob("lib[as][vw]*-*.so.*"):
        name, _, version = path.name.partition(".so.")
        link = folder / f"{name.partition('-')[0]}.so.{version.partition('.')[0]}"
        link.unlink(missing_ok=True)
        link.symlink_to(path)
    return [folder, brought, Path(str(sysconfig.get_config_var("LIBDIR")))]


def check_parity(way: str, expected: Path, made: Path) -> None:
    """Raise ParityError unless times are the same, and pictures too, as far as they can be."""
    (times, ours), (others, theirs) = (
        (file["times"].tolist(), file["pictures"].astype(np.float32))
        for file in (np.load(expected), np.load(made))
    )
    if times != others:
        wrong = sorted({*times} ^ {*others})
        raise ParityError(f"{way}: pictures of other times, such as {wrong[:5]} ms")
    apart = float(np.abs(ours.mean(3) - theirs.mean(3)).mean((1, 2)).max())
    if apart > (0 if way in EQUAL else APART):
        raise ParityError(f"{way}: a picture is {apart:.1f} grey levels off in the mean")


def increment(film: Path, project: Path, count: int) -> dict[str, Any]:
    """CPU seconds of each stage on `count` films of some seconds, and on 1 % more of them."""
    seconds, more = 5, max(1, count // 100)
    shutil.rmtree(project, ignore_errors=True)
    put_project(project)
    raw, keys = project / "data" / "raw" / "films", survey_of(film).keys
    clips.put_batch(film, raw / "1", keys[:count], seconds)
    whole = _run(project)
    clips.put_batch(film, raw / "2", keys[count : count + more], seconds)
    return {
        "count": count, "more": more, "seconds": seconds, "whole": whole, "added": _run(project),
    }  # fmt: skip


def put_project(folder: Path) -> None:
    """Films, their pictures in order and their motion."""
    document = {
        "seed": 0,
        "sources": {"films": {"kind": "folder"}},
        "fetch": {},
        "modalities": ["video"],
        "targets": {},
        "clean": {"video": {"every_ms": EVERY_MS}},
        "augment": {"video": {"views": 0}},
        "features": {
            "frames": {
                "modality": "video", "encoder": "frames",
                "pictures": {"encoder": "efficientnet_lite0"},
            },
            "motion": {"modality": "video", "encoder": "motion"},
        },
        "models": {},
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def _run(project: Path) -> dict[str, float]:
    ours.stage(project, "ingest")
    spent = {f"{stage} {item}": ours.stage(project, stage, item).cpu_s for stage, item in STAGES}
    return {label: each for label, each in spent.items() if not label.startswith("augment")}


if __name__ == "__main__":
    main()
