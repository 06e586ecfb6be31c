"""What a module does and what it imports, read from its source without running it.

Parsing all that a stage reaches takes a tenth of a second and more, so what was learnt of a source
is remembered by the digest of its bytes. The memory is local and may be deleted at any time.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from pipeline.core.files.atomic import atomic_write
from pipeline.core.files.digest import digest_bytes, digest_file, digest_json

MEMORY = Path(".pipeline", "code.json")
PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Code:
    """Digest of a module's code, and the dotted names in its import statements.

    Comments, docstrings, layout and imports for type checkers do not count. Of `from a import b`
    both `a` and `a.b` are named, since `b` may be a module.
    """

    digest: str
    names: tuple[str, ...]


@functools.cache
def code(module: str) -> Code:
    """What the source of a module says, or the digest of a compiled one, which tells no more.

    ModuleNotFoundError if there is none.
    """
    path = _path(module)
    return _parsed(path) if path.suffix == ".py" else Code(digest_file(path), ())


def package_digest(plugins: Iterable[str] = ()) -> str:
    """Digest of all that this package does: its modules' code, and the bytes of its other files.

    Parameters
    ----------
    plugins:
        Dotted names of modules of other packages, of which all modules count as its own.
    """
    files = (path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    digests = {
        path.relative_to(PACKAGE).as_posix(): (
            _parsed(path).digest if path.suffix == ".py" else digest_file(path)
        )
        for path in files
        if not path.name.startswith(".")
    }
    theirs = {name for plugin in plugins for name in modules_of(plugin.partition(".")[0])}
    return digest_json(digests | {module: code(module).digest for module in theirs})


@functools.cache
def imports(module: str) -> tuple[str, ...]:
    """The modules that a module imports, those of this package in full."""
    ours = [name for name in code(module).names if is_ours(name)]
    foreign = [name for name in code(module).names if not is_ours(name)]
    return (*(name for name in ours if _exists(name)), *foreign)


def is_ours(module: str) -> bool:
    """Whether a module is of this package, by its name."""
    return module.partition(".")[0] == PACKAGE.name


@functools.cache
def modules_of(top: str) -> dict[str, Path]:
    """Dotted name → file of all modules of a top-level package; none if there is no such package.

    None of them is imported.
    """
    spec = importlib.util.find_spec(top)
    if spec is None:
        return {}
    if not spec.submodule_search_locations:
        return {top: Path(spec.origin)} if spec.has_location and spec.origin else {}
    return {
        ".".join([top, *path.relative_to(folder).parent.parts, path.name.partition(".")[0]])
        .removesuffix(".__init__"): path
        for folder in spec.submodule_search_locations
        for path in sorted(Path(folder).rglob("*"))
        if path.name.endswith((".py", *EXTENSION_SUFFIXES))
    }  # fmt: skip


def _path(module: str) -> Path:
    if not is_ours(module):
        path = modules_of(module.partition(".")[0]).get(module)
    else:
        spec = importlib.util.find_spec(module)
        path = Path(spec.origin) if spec and spec.origin else None
    if path is None:
        raise ModuleNotFoundError(f"no source found for module {module}")
    return path


def remember() -> None:
    """Keep what this process learnt for the next, if this is a project's folder to write in."""
    if _learnt and (MEMORY.parent.is_dir() or Path("dvc.yaml").is_file()):
        with contextlib.suppress(OSError):
            MEMORY.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(MEMORY) as temporary:
                temporary.write_text(json.dumps({**_memory(), "": [_reader()]}))
        _learnt.clear()


_learnt: set[str] = set()


def _parsed(path: Path) -> Code:
    source = path.read_bytes()
    key = digest_bytes(source)
    memory = _memory()
    if key not in memory:
        tree = _running(ast.parse(source))
        memory[key] = [digest_bytes(ast.dump(tree).encode()), *_names(tree)]
        _learnt.add(key)
    digest, *names = memory[key]
    return Code(digest, tuple(names))


@functools.cache
def _memory() -> dict[str, list[str]]:
    try:
        memory: dict[str, list[str]] = json.loads(MEMORY.read_text())
        return memory if memory.pop("") == [_reader()] else {}
    except (OSError, ValueError, KeyError, AttributeError):
        return {}


@functools.cache
def _reader() -> str:
    """What reads: this module and the version of Python, on which a dump of code depends."""
    return f"{digest_file(Path(__file__))} {sys.version}"


def _running(tree: ast.Module) -> ast.Module:
    """A module's code as far as it runs: without docstrings and imports for type checkers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            kept = [child for child in node.body if not _is_for_type_checkers(child)]
            if kept and _is_docstring(kept[0]):
                del kept[0]
            node.body = kept or [ast.Pass()]
    return tree


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield node.module


def _exists(module: str) -> bool:
    """Whether a name of this package is a module, found without importing what stands above it."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


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
