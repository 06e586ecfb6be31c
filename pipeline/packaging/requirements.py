"""Which libraries modules need, each at the version that is installed here."""

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


def locked(modules: Iterable[str]) -> list[str]:
    """`name==version`, sorted, of what these modules import and of all that this needs in turn.

    What is not installed here is left out: modules that import it do without. A version's local
    part, by which builds of torch differ, is left out too, since an index may have another build.
    """
    names_by_library = packages_distributions()
    direct = {
        DISTRIBUTIONS.get(library) or next(iter(names_by_library.get(library, [])), library)
        for module in modules
        for library in (name.partition(".")[0] for name in imports(module) if not is_ours(name))
        if library not in sys.stdlib_module_names
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
