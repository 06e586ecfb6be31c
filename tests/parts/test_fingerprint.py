from __future__ import annotations

import importlib
import importlib.metadata
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.registry import locate, names
from pipeline.parts import fingerprint as module
from pipeline.parts.code import imports
from pipeline.parts.fingerprint import Fingerprint, fingerprint, reach

CODE = '''"""A kernel."""
import numpy as np

def double(x):
    """Twice x."""
    return np.multiply(x, 2)  # exact
'''


@pytest.fixture
def unlearnt() -> Iterator[None]:
    forget()
    yield
    forget()


@pytest.fixture
def kernel(  # type: ignore[no-untyped-def]
    unlearnt: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Writes a module and returns the fingerprint of a function in it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def of(code: str, **how: object) -> str:
        (tmp_path / "kernel_under_test.py").write_text(code)
        sys.modules.pop("kernel_under_test", None)
        forget()
        return fingerprint("f", ["kernel_under_test"], how.pop("parameters", {}), **how).digest

    return of


def forget() -> None:
    """What this process has learnt of modules and libraries."""
    importlib.invalidate_caches()
    for learnt in (module.code, module.imports, module.modules_of, module._version):
        learnt.cache_clear()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# exact", "# exactly twice"),
        ('"""Twice x."""', '"""Two times x."""'),
        ('    """Twice x."""\n', ""),
        ('"""A kernel."""', '"""The kernel."""'),
        ("(x, 2)", "(\n        x,\n        2,\n    )"),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(kernel, before: str, after: str) -> None:
    assert CODE.replace(before, after) != CODE
    assert kernel(CODE.replace(before, after)) == kernel(CODE)


@pytest.mark.parametrize(
    ("before", "after"),
    [("x, 2", "x, 3"), ("np.multiply", "np.add"), ("import numpy as np", "import pyarrow as np")],
)
def test_code_counts(kernel, before: str, after: str) -> None:
    assert kernel(CODE.replace(before, after)) != kernel(CODE)


def test_parameters_and_weights_count_and_paths_do_not(kernel, tmp_path: Path) -> None:
    assert kernel(CODE, parameters={"a": 1}) != kernel(CODE, parameters={"a": 2})
    for folder, data in [("one", b"w"), ("two", b"w"), ("three", b"v")]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.bin").write_bytes(data)
    one, two, three = (
        kernel(CODE, weights=[tmp_path / folder / "model.bin"])
        for folder in ("one", "two", "three")
    )
    assert one == two
    assert one != three


def test_library_versions_count(kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kernel(CODE)
    forget()
    monkeypatch.setattr(module, "version", lambda name: "0.0.1")
    assert kernel(CODE) != before


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Installs a third party's packages below tmp_path; its plug-in is `acme.encoder`."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def forget_all() -> None:
        forget()
        module._distributions.cache_clear()
        for name in [name for name in sys.modules if name.startswith("acme")]:
            del sys.modules[name]

    def install(name: str, version: str, files: dict[str, str | bytes]) -> None:
        """A distribution called <name>-dist of one package, `name`."""
        for path, text in files.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            data = text if isinstance(text, bytes) else text.encode()
            (tmp_path / name / path).write_bytes(data)
        for old in tmp_path.glob(f"{name}_dist-*"):
            shutil.rmtree(old)
        about = tmp_path / f"{name}_dist-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}-dist\nVersion: {version}"
        )
        (about / "top_level.txt").write_text(name)

    def made_by() -> Fingerprint:
        forget_all()
        return fingerprint("f", ["acme.encoder"], {})

    yield install, made_by
    forget_all()


ACME = {
    "__init__.py": "",
    "encoder.py": "import importlib, zlib, numpy, beta\nfrom pipeline.core.options import Options\n"
    "from . import shape\n",
    "shape/__init__.py": "",
    "shape/_round.py": "SIDES = 0\n",
}


def test_a_plug_in_of_a_third_party_is_known_by_all_code_of_its_package(theirs) -> None:
    install, made_by = theirs
    install("acme", "1.0", ACME)
    install("beta", "2.0", {"__init__.py": ""})
    first = made_by()
    assert {"acme", "acme.encoder", "acme.shape", "acme.shape._round"} < first.code.keys()
    assert "pipeline.core.options" in first.code
    assert made_by() == first
    install("acme", "1.0", {"shape/_round.py": "SIDES = 0  # of a circle\n"})
    assert made_by() == first
    install("acme", "1.0", {"shape/_round.py": "SIDES = 1\n"})
    second = made_by()
    install("acme", "1.0", {"_fast.abi3.so": b"\x7fELF of one compiler"})
    third = made_by()
    install("acme", "1.0", {"_fast.abi3.so": b"\x7fELF of another"})
    assert len({print_.digest for print_ in (first, second, third, made_by())}) == 4
    assert first.libraries == third.libraries


def test_two_versions_of_what_it_imports_are_two_keys_whatever_it_is_called(theirs) -> None:
    install, made_by = theirs
    install("acme", "1.0", ACME)
    install("beta", "2.0", {"__init__.py": ""})
    old = made_by()
    assert old.libraries["beta-dist"] == "2.0"
    assert old.libraries["numpy"] == importlib.metadata.version("numpy")
    install("beta", "2.1", {"__init__.py": ""})
    new = made_by()
    assert new.libraries == {**old.libraries, "beta-dist": "2.1"}
    assert new.digest != old.digest


def test_what_it_imports_of_no_distribution_is_known_by_its_code(theirs, tmp_path: Path) -> None:
    install, made_by = theirs
    install("acme", "1.0", ACME)
    assert made_by().libraries.keys() == {"numpy", "pydantic"} - module.INERT  # no beta as yet
    (tmp_path / "beta.py").write_text("ONE = 1\n")
    one = made_by()
    assert "beta" in one.code
    (tmp_path / "beta.py").write_text("ONE = 2\n")
    assert made_by().digest != one.digest


@pytest.mark.parametrize("name", names("encoders"))
def test_what_is_not_installed_is_not_in_a_key(name: str) -> None:
    made_by = fingerprint("f", [locate("encoders", name)], {})
    assert "absent" not in made_by.libraries.values()
    assert made_by.libraries["numpy"]


def test_torch_is_known_by_its_build_which_is_read_without_loading_it(
    unlearnt: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(module, "version", lambda name: "2.13.0")  # as PyPI's metadata say
    monkeypatch.delitem(sys.modules, "torch")
    libraries = fingerprint("f", ["pipeline.core.machine.device"], {}).libraries
    assert libraries["torch"] == torch.__version__
    assert "torch" not in sys.modules


def test_imports_are_followed_wherever_they_stand_but_not_for_type_checkers() -> None:
    reached = reach(["pipeline.stages.work.extract"])
    assert {
        "pipeline.parts.part",
        "pipeline.store.format.layout",
        "pipeline.core.records",
    } <= reached
    assert "pipeline.parts.fingerprint" not in reached  # imported under TYPE_CHECKING alone


@pytest.mark.parametrize("work", ["clean", "augment", "extract"])
def test_no_key_sees_executors_params_stages_or_planning(work: str) -> None:
    unseen = (
        "pipeline.execution",
        "pipeline.params",
        "pipeline.stages.plans",
        "pipeline.parts.plan",
        "pipeline.parts.reject_limit",
        "pipeline.parts.summary",
    )
    assert [
        name for name in reach([f"pipeline.stages.work.{work}"]) if name.startswith(unseen)
    ] == []


@pytest.mark.parametrize("module", ["pipeline.parts.part", "pipeline.models.training.snapshot"])
def test_how_a_file_is_put_in_place_is_in_no_key(module: str) -> None:
    assert "pipeline.core.files.atomic" in imports(module)
    assert "pipeline.core.files.atomic" not in fingerprint("f", [module], {}).code


@pytest.mark.parametrize("work", ["train", "evaluate"])
def test_the_join_is_in_the_keys_of_what_reads_it(work: str) -> None:
    assert {"pipeline.store.join", "pipeline.store.format.layout"} <= reach(
        [f"pipeline.stages.work.{work}"]
    )
