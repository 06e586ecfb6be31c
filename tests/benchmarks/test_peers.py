"""Peers run in environments of their own; here their scripts are read, and one is run."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from benchmarks import kernels, limit
from benchmarks.environments import PACKAGES, PINNED
from benchmarks.kernels import PROJECT, SETS
from benchmarks.measured import PEERS
from benchmarks.parity import distance, vectors
from tests.dataset import picture, sound

SCRIPTS = sorted((PROJECT / "benchmarks" / "peers").glob("[!_]*.py"))


def test_every_script_is_a_peer_with_an_environment() -> None:
    assert {path.stem for path in SCRIPTS} == PEERS.keys()
    named = {environment for environment, _ in PEERS.values()}
    assert named | {"lance", "decord", "torchcodec"} == PACKAGES.keys()  # the store's, and films'


def test_environments_are_pinned_and_keep_torch() -> None:
    assert all("==" in package for packages in PACKAGES.values() for package in packages)
    torch = (PROJECT / "requirements" / "torch.txt").read_text().split()
    assert list(PINNED) == torch


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_whole_and_names_kernels_that_exist(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert [argument.arg for argument in functions["main"].args.args] == ["raw", "out", "workers"]
    named = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "benchmarks.kernels"
        for alias in node.names
    }
    assert all(hasattr(kernels, name) for name in named)
    asks_for_equal_bits = PEERS[path.stem][1] is None
    assert ("table" in named) == asks_for_equal_bits


def test_the_bounds_of_parity_name_every_modality() -> None:
    bounds = [least for _, least in PEERS.values() if least is not None]
    assert all(least.keys() == SETS.keys() for least in bounds)
    assert all(0.9 < value < 1 for least in bounds for value in least.values())


def test_kernels_are_those_of_params() -> None:
    features = kernels.params().features
    assert {features[name].modality: name for name in SETS.values()} == SETS
    assert list(inspect.signature(kernels.table).parameters) == ["paths", "modality"]


@pytest.mark.slow
def test_the_limit_and_the_loop_come_to_the_same_vectors(tmp_path: Path) -> None:
    from benchmarks.peers import loop

    raw, out = tmp_path / "raw", tmp_path / "out"
    for modality, suffix, make in (("image", "png", picture), ("audio", "wav", sound)):
        (raw / modality).mkdir(parents=True)
        for i in range(3):
            (raw / modality / f"{i}.{suffix}").write_bytes(make("circle", i))
    (raw / "image" / "broken.png").write_bytes(b"no picture")
    loop.main(raw, tmp_path / "loop", 1)
    for modality in SETS:
        limit.run(kernels.kernel(modality), kernels.files(raw, modality), out / modality)
        made = vectors(out / modality / "features")
        theirs = vectors(tmp_path / "loop" / modality)
        assert len(made) == len(theirs) == 3
        assert distance(made, theirs).equal
