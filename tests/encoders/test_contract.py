"""What every encoder promises, whoever wrote it: a new one is tested by being there."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.core.options import Options
from pipeline.core.registry import load, names
from tests.encoders import examples

ENCODERS = names("encoders")
INSTALLED = [name for name in ENCODERS if not examples.missing(name)]
HEAVY = ["torch", "onnxruntime", "onnx", "cv2", "scipy", "librosa", "transformers", "tokenizers"]


@pytest.fixture(autouse=True)
def _its_package_is_there(request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["name"] if hasattr(request.node, "callspec") else ""
    if examples.missing(name):
        pytest.skip(f"{examples.EXTRAS[name]}, an extra, is not installed")


@cache
def encoder(name: str) -> Any:
    return load("encoders", name).Encoder(examples.options(name))


def encode(name: str, contents: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    values, lengths = encoder(name).encode(contents)
    return values, lengths


def child(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("name", ENCODERS)
def test_declarations(name: str) -> None:
    module, options = load("encoders", name), examples.options(name)
    assert module.MODALITY in names("modalities")
    assert module.COST_MS > 0
    shape = module.shape(options)
    assert isinstance(shape, tuple)
    assert len(shape) in (1, 2)
    assert all(isinstance(size, int) and size > 0 for size in shape)
    assert all(isinstance(path, Path) and path.is_file() for path in module.weights(options))


@pytest.mark.parametrize("name", ENCODERS)
def test_options_are_frozen_typed_and_data(name: str) -> None:
    module, options = load("encoders", name), examples.options(name)
    assert isinstance(options, Options)
    given = options.model_dump(mode="json")
    with pytest.raises(ValidationError):
        module.Options(**given, no_such_option=1)
    for field in type(options).model_fields:
        with pytest.raises(ValidationError):
            setattr(options, field, given[field])
    assert module.Options(**json.loads(json.dumps(given))) == options
    assert all(field.description for field in module.Options.model_fields.values())


@pytest.mark.parametrize("name", ENCODERS)
def test_features(name: str) -> None:
    module = load("encoders", name)
    contents = examples.contents(module.MODALITY)
    shape = module.shape(examples.options(name))
    values, lengths = encode(name, contents)
    assert values.dtype == np.float32
    assert values.shape == (len(contents), *shape)
    assert np.isfinite(values).all()
    assert lengths.dtype == np.int32
    assert lengths.shape == (len(contents),)
    assert (values.reshape(len(contents), -1).std(1) > 0).all()
    if len(shape) == 1:
        assert (lengths == 1).all()
    else:
        assert ((lengths >= 1) & (lengths <= shape[0])).all()
        for row, length in zip(values, lengths, strict=True):
            assert not row[length:].any()


@pytest.mark.parametrize("name", ENCODERS)
def test_a_row_depends_on_nothing_but_itself(name: str) -> None:
    """Alone, among others, in another order, twice, and after others have been there."""
    contents = examples.contents(load("encoders", name).MODALITY)
    alone = [encode(name, [content]) for content in contents]
    order = [3, 1, 1, 0, 4, 2, 3, 0]
    values, lengths = encode(name, [contents[place] for place in order])
    for row, place in enumerate(order):
        assert values[row].tobytes() == alone[place][0][0].tobytes()
        assert lengths[row] == alone[place][1][0]


@pytest.mark.parametrize(
    "name", [name for name in ENCODERS if hasattr(load("encoders", name), "prepare")]
)
def test_what_is_prepared_elsewhere_encodes_the_same(name: str) -> None:
    module = load("encoders", name)
    contents = examples.contents(module.MODALITY)
    prepared = module.prepare(contents, examples.options(name))
    assert len(prepared) == len(contents)
    assert encode(name, prepared)[0].tobytes() == encode(name, contents)[0].tobytes()


@pytest.mark.parametrize("name", ENCODERS)
def test_no_rows(name: str) -> None:
    values, lengths = encode(name, [])
    assert values.shape == (0, *load("encoders", name).shape(examples.options(name)))
    assert lengths.shape == (0,)


@pytest.mark.parametrize("name", ENCODERS)
def test_contents_stay_as_they_are(name: str) -> None:
    contents = examples.contents(load("encoders", name).MODALITY)
    before = copy.deepcopy(contents)
    for content in contents:
        if isinstance(content, np.ndarray):
            content.flags.writeable = False
    encode(name, contents)
    for content, copied in zip(contents, before, strict=True):
        np.testing.assert_array_equal(content, copied)


@pytest.fixture(scope="module")
def with_other_threads() -> dict[str, str]:
    """Digests from a worker whose shell asks for several threads and hashes differently.

    A worker is put under one thread before its libraries are loaded: OpenBLAS's AVX2 kernels sum
    in another order with three.
    """
    threads = dict.fromkeys(
        ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"], "3"
    )
    output = child(
        "-c",
        "import json; from pipeline.core.machine.environment import establish; "
        "establish('avx2'); from tests.encoders import examples; "
        f"print(json.dumps({{name: examples.digest(name) for name in {INSTALLED}}}))",
        **threads,
        TOKENIZERS_PARALLELISM="true",
        PYTHONHASHSEED="7",
    )
    digests: dict[str, str] = json.loads(output)
    return digests


@pytest.mark.parametrize("name", ENCODERS)
def test_threads_and_processes_do_not_show(name: str, with_other_threads: dict[str, str]) -> None:
    assert examples.digest(name) == with_other_threads[name]


def test_importing_an_encoder_is_cheap() -> None:
    modules = [load("encoders", name).__name__ for name in ENCODERS]
    loaded = child(
        "-c",
        f"import sys, importlib; [importlib.import_module(name) for name in {modules}]; "
        f"print(sorted(set({HEAVY}) & set(sys.modules)))",
    )
    assert loaded == "[]"
