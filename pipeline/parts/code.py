"""What a module does and what it imports, read from its source without running it.

Parsing all that a stage reaches takes a tenth of a second and more, so what was learnt of a source
is remembered by the digest of its bytes. The memory is local and may be deleted at any time.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
    """What the source of a module says; ModuleNotFoundError if there is none."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source found for module {module}")
    return _parsed(Path(spec.origin))


def package_digest(plugins: Iterable[str] = ()) -> str:
    """Digest of all that this package does: its modules' code, and the bytes of its other files.

    Parameters
    ----------
    plugins:
        Dotted names of modules of other packages that count as its own.
    """
    files = (path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    digests = {
        path.relative_to(PACKAGE).as_posix(): (
            _parsed(path).digest if path.suffix == ".py" else digest_file(path)
        )
        for path in files
        if not path.name.startswith(".")
    }
    return digest_json(digests | {module: code(module).digest for module in plugins})


def imports(module: str) -> list[str]:
    """The modules that a module imports, those of this package in full."""
    names = code(module).names
    internal = [name for name in names if name.split(".")[0] == PACKAGE.name and _exists(name)]
    return internal + [name for name in names if name.split(".")[0] != PACKAGE.name]


def remember() -> None:
    """Keep what this process learnt for the next."""
    if _learnt:
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
