"""Measure prediction beside its bare kernels: `make bench-predict`.

A model of this project answers for its pictures: one in a new process, one in a process that has
answered before, and a folder. The bare way is a plain loop over the same kernels: read, clean,
encode, one pass through the network. Both must come to the same vectors and probabilities first.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.parity import ParityError
from benchmarks.table import Check, rows_of

HERE = Path(__file__).parent
PROJECT = HERE.parent
RESULTS = HERE / "predict.json"
BEGIN, END = "<!-- benchmark of predict: begin -->", "<!-- benchmark of predict: end -->"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure predict beside its bare kernels.")
    parser.add_argument("--project", type=Path, default=PROJECT)
    parser.add_argument("--model", default="image", help="one whose only modality is pictures")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--warm", action="store_true", help="in this process, as JSON")
    arguments = parser.parse_args()
    if arguments.warm:
        measured = warm(Path(), arguments.model, arguments.files, arguments.rounds)
        print(json.dumps(measured))
        return
    results = measure(arguments)
    arguments.results.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.results == RESULTS:
        page = PROJECT / "docs" / "performance.md"
        before, rest = page.read_text(encoding="utf-8").split(BEGIN)
        text = f"{before}{BEGIN}\n{table(results)}{END}{rest.split(END)[1]}"
        page.write_text(text, encoding="utf-8")
    print(table(results))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """The cold figures, each the median of some commands, and those of a process of its own."""
    from benchmarks.cpu import spend
    from benchmarks.ours import environment

    project = arguments.project.absolute()
    (first,) = pictures(project, 1)
    ask = [sys.executable, "-m", "pipeline.cli.main", "predict", str(first)]
    ask += ["--model", arguments.model]
    spent = [spend(ask, project, environment()) for _ in range(arguments.rounds)]
    again = [sys.executable, "-m", "benchmarks.predict", "--warm", "--model", arguments.model]
    again += ["--files", str(arguments.files), "--rounds", str(arguments.rounds)]
    done = subprocess.run(
        again, cwd=project, env=environment(), stdout=subprocess.PIPE, text=True, check=True
    )
    return {
        "model": arguments.model,
        "cold_cpu_s": statistics.median(each.cpu_s for each in spent),
        "cold_wall_s": statistics.median(each.wall_s for each in spent),
        **json.loads(done.stdout.splitlines()[-1]),
    }


def warm(project: Path, model: str, count: int, rounds: int) -> dict[str, float]:
    """CPU milliseconds of one sample, and of each of a folder's, by us and bare; the same files.

    Ways take turns, so that a busy machine slows both, and the median of the rounds counts.
    """
    from pipeline.inference import Predictor, Sample

    predictor = Predictor.load(project, model)
    bare = Bare(project, model)
    files = pictures(project, count)
    samples = [Sample(str(path), {bare.modality: path}) for path in files]
    check_parity(predictor.predict(samples).answers.to_pylist(), bare, files)
    ways: dict[str, Callable[[], object]] = {
        "one": lambda: [predictor.predict([sample]) for sample in samples],
        "bare_one": lambda: [bare.answer([path]) for path in files],
        "folder": lambda: predictor.predict(samples),
        "bare_folder": lambda: bare.answer(files),
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            began = time.process_time()
            run()
            taken[way].append((time.process_time() - began) / count * 1000)
    return {"files": count} | {f"{way}_ms": statistics.median(t) for way, t in taken.items()}


class Bare:
    """A plain loop over the kernels of a model whose features are one set."""

    def __init__(self, project: Path, model: str) -> None:
        from pipeline.core.registry import load as plugin
        from pipeline.models.saving import load_model
        from pipeline.params import load

        params = load(project / "params.yaml")
        self.model = load_model(project / "data" / "models" / model)
        (self.spec,) = self.model.sets
        self.modality = self.spec.modality
        feature = params.features[self.spec.name]
        self._options = params.clean[self.modality].options
        self._clean = plugin(f"modalities/{self.modality}", "clean").clean
        self._encoder = plugin("encoders", feature.encoder).Encoder(feature.options)

    def vector(self, path: Path) -> Any:
        """float32 of the set's shape."""
        cleaned, _ = self._clean(path.read_bytes(), "image/png", self._options)
        return self._encoder.encode([cleaned])[0][0]

    def answer(self, paths: Sequence[Path]) -> Mapping[str, Any]:
        """By task, (n, classes)."""
        from pipeline.models.answer_table import unlabelled
        from pipeline.models.prediction import predict

        rows = [(self.vector(path), 1) for path in paths]
        examples = unlabelled([self.spec], {self.spec.name: rows})
        return predict(self.model.network, examples, self.model.priors)


def check_parity(answers: Sequence[Mapping[str, Any]], bare: Bare, files: Sequence[Path]) -> None:
    """Raise ParityError unless probabilities are equal bit by bit, and so all before them."""
    import numpy as np

    for task, expected in bare.answer(files).items():
        shares = [[share for _, share in row[f"probabilities.{task}"]] for row in answers]
        if not np.array_equal(np.array(shares, np.float32), expected):
            raise ParityError(f"{task}: predict and its bare kernels differ")


def pictures(project: Path, count: int) -> list[Path]:
    """So many of the project's raw pictures, spread over all."""
    paths = sorted((project / "data" / "raw").rglob("*.png"))
    return paths[:: max(1, len(paths) // count)][:count]


def checks(results: Mapping[str, Any]) -> list[Check]:
    """Every figure that was promised."""
    return [
        Check("one picture, a new process, CPU-s", results["cold_cpu_s"], 3),
        Check("one picture, CPU ÷ bare kernels", results["one_ms"] / results["bare_one_ms"], 1.3),
        Check(
            "a folder, CPU ÷ bare kernels", results["folder_ms"] / results["bare_folder_ms"], 1.15
        ),
    ]


def table(results: Mapping[str, Any]) -> str:
    """The figures in Markdown."""
    cores = len(os.sched_getaffinity(0))
    a_second = [1000 / results[f"{way}_ms"] for way in ("folder", "bare_folder")]
    return (
        f"`{results['model']}`, {results['files']} pictures, {cores} cores; a new process took"
        f" {results['cold_wall_s']:.1f} s, of which the machine's load is part; one picture after "
        f"that {results['one_ms']:.1f} ms of CPU, bare {results['bare_one_ms']:.1f}; of a folder "
        f"{a_second[0]:.0f} a second, bare {a_second[1]:.0f}.\n\n{rows_of(checks(results))}"
    )


if __name__ == "__main__":
    main()
