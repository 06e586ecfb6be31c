"""One folder of a Debian package that may be installed here too: three ways to the same bytes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from pipeline.core.errors import PipelineError
from pipeline.core.options import Options
from pipeline.sources._archives import unpack
from pipeline.sources._packages import SHA256, check_file, download, place


class FetchOptions(Options):
    """Which version of the package, and where it may be found on this machine."""

    version: str = Field(
        pattern=r"^[0-9][\w.+~-]*$", description="version of the package; names the batch"
    )
    sha256: str = Field(pattern=SHA256, description="SHA-256 of the .deb, in hex")
    tree: str = Field(
        pattern=SHA256,
        description="SHA-256, in hex, of what `sha256sum` prints for all files of the folder, "
        "sorted by path",
    )
    folder: Path = Field(description="folder of an installed copy, taken if it is there")
    deb: Path | None = Field(None, description="path of the .deb, if it was downloaded before")


def fetch(package: str, subtree: str, folder: Path, options: FetchOptions) -> bool:
    """Put a package's `subtree` at <folder>/<version>; see `place`.

    It comes from an installed copy, from a .deb, or from `apt-get download`, in this order.
    """

    def from_deb(deb: Path, tree: Path) -> None:
        check_file(deb, options.sha256)
        unpack(deb, {subtree: ""}, tree)

    def from_named(tree: Path) -> None:
        if options.deb is None:
            raise PipelineError("no .deb was named")
        from_deb(options.deb, tree)

    def from_apt(tree: Path) -> None:
        asked = (package, options.version, options.sha256)
        from_deb(download("apt", *asked, tree.parent / "package"), tree)

    return place(
        folder / options.version,
        options.tree,
        [lambda tree: _copy_installed(options.folder, tree), from_named, from_apt],
        lambda reasons: _three_ways(package, options, reasons),
    )


def _copy_installed(folder: Path, tree: Path) -> None:
    if not folder.is_dir():
        raise PipelineError(f"there is no folder {folder}")
    try:
        shutil.copytree(folder, tree, copy_function=shutil.copyfile)
    except (OSError, shutil.Error):
        raise PipelineError(f"{folder} cannot be copied: is it readable?") from None


def _three_ways(package: str, options: FetchOptions, reasons: Sequence[str]) -> str:
    installed, deb, apt = reasons
    return (
        f"{package} {options.version} is nowhere to be had. Any one of three ways will do:\n"
        f"- install it (`apt-get install {package}={options.version}`), or set `folder` to an "
        f"installed copy. Now: {installed}\n"
        f"- download the .deb and set `deb` to its path. Now: {deb}\n"
        f"- let `apt-get download` fetch it: needs apt's lists (`apt-get update` as root) and a "
        f"network. Now: {apt}\n"
        f"`folder` and `deb` stand under `fetch` in params.yaml."
    )
