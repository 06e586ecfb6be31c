"""Which libraries modules need, each at the version that is installed here.

Of third parties' plug-ins it is the distribution that they came with.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from pipeline.parts.code import imports, is_ours
from pipeline.parts.fingerprint import DISTRIBUTIONS

PROJECT = "multimodal-pipeline"
# What only functions of a project load, whose modules answering shares: its versions, its cluster,
# its SQL.
OF_PROJECTS = frozenset({"dvc", "duckdb", "ray"})


def locked(modules: Iterable[str]) -> list[str]:
    """`name==version`, sorted, of what these modules import and of all that this needs in turn.

    What is not installed here is left out: modules that import it do without. A version's local
    part, by which builds of torch differ, is left out too, since an index may have another build.
    """
    names_by_library = packages_distributions()
    named = {name for module in modules for name in (module, *imports(module)) if not is_ours(name)}
    libraries = {name.partition(".")[0] for name in named} - sys.stdlib_module_names - OF_PROJECTS
    direct = {
        DISTRIBUTIONS.get(library) or next(iter(names_by_library.get(library, [])), library)
        for library in libraries
    }
    extras = {one.name: one.extras for one in _required(PROJECT, {""})}
    versions: dict[str, str] = {}
    pending = [(name, frozenset(extras.get(name, ()))) for name in sorted(direct)]
    seen = set(pending)
    while pending:
        name, wanted = pending.pop()
        try:
            versions[canonicalize_name(name)] = Version(distribution(name).version).public
        except PackageNotFoundError:
            continue
        needed = {(one.name, frozenset(one.extras)) for one in _required(name, {"", *wanted})}
        pending += needed - seen
        seen |= needed
    return [f"{name}=={version}" for name, version in sorted(versions.items())]


def _required(name: str, extras: Iterable[str]) -> Iterator[Requirement]:
    """What a distribution asks for on this machine, with these extras."""
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            yield requirement
