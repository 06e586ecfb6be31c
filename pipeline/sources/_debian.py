"""One folder of a Debian package, the same to the byte whichever way it comes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.core.files.digest_cache import DigestCache, open_digest_cache
from pipeline.core.options import Options
from pipeline.sources._deb import unpack

SHA256 = r"^[0-9a-f]{64}$"


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
    """Put a package's `subtree` at <folder>/<version>, whole and with the digest that is asked for.

    What already stands there with that digest is left alone, and False returned. Otherwise the
    files come from an installed copy, from a .deb, or from `apt-get download`, in this order,
    through a scratch folder and a rename, so that half of them never count as all.

    Raises
    ------
    PipelineError
        No way led to the files; the message says what to do for each.
    """
    batch = folder / options.version
    # Beside the batch, because a rename cannot cross file systems; hidden, so that it is no batch.
    # One name for all attempts, so that what a killed one left is removed by the next.
    scratch = folder / ".fetching"
    shutil.rmtree(scratch, ignore_errors=True)
    with open_digest_cache() as digests:
        if batch.is_dir() and digests.tree(batch) == options.tree:
            return False

    scratch.mkdir(parents=True)
    try:
        (scratch / ".dvcignore").write_text("*\n")  # nor does DVC see what a killed one left
        tree = _obtain(package, subtree, options, scratch)
        if batch.exists():
            batch.replace(scratch / "replaced")
        tree.replace(batch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return True


def _obtain(package: str, subtree: str, options: FetchOptions, scratch: Path) -> Path:
    """The folder in `scratch` that holds the files, whole, by the first way that leads there."""
    tree = scratch / "tree"
    ways: tuple[Callable[[], None], ...] = (
        lambda: _from_installed(options, tree),
        lambda: _from_deb(options, subtree, tree),
        lambda: _from_apt(package, options, subtree, scratch, tree),
    )
    reasons = []
    for way in ways:
        try:
            way()
            _check_tree(options, tree)
            return tree
        except PipelineError as error:
            reasons.append(str(error))
            shutil.rmtree(tree, ignore_errors=True)
    raise PipelineError(_three_ways(package, options, reasons))


def _from_installed(options: FetchOptions, tree: Path) -> None:
    if not options.folder.is_dir():
        raise PipelineError(f"there is no folder {options.folder}")
    try:
        shutil.copytree(options.folder, tree, copy_function=shutil.copyfile)
    except (OSError, shutil.Error):
        raise PipelineError(f"{options.folder} cannot be copied: is it readable?") from None


def _from_deb(options: FetchOptions, subtree: str, tree: Path) -> None:
    if options.deb is None:
        raise PipelineError("no .deb was named")
    if not options.deb.is_file():
        raise PipelineError(f"there is no file {options.deb}")
    _unpack(options.deb, options, subtree, tree)


def _from_apt(package: str, options: FetchOptions, subtree: str, scratch: Path, tree: Path) -> None:
    command = ["apt-get", "download", "--quiet", f"{package}={options.version}"]
    try:
        done = subprocess.run(
            command,
            cwd=scratch,
            env=os.environ | {"LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise PipelineError("this machine has no apt-get") from None
    debs = list(scratch.glob("*.deb"))
    if done.returncode or not debs:
        complaint = (done.stderr.strip() or "no file came").splitlines()[-1]
        raise PipelineError(f"`{' '.join(command)}` failed: {complaint}")
    _unpack(debs[0], options, subtree, tree)


def _unpack(deb: Path, options: FetchOptions, subtree: str, tree: Path) -> None:
    digest = digest_file(deb)
    if digest != options.sha256:
        raise PipelineError(f"{deb.name} has SHA-256 {digest}, not {options.sha256}")
    unpack(deb, subtree, tree)


def _check_tree(options: FetchOptions, tree: Path) -> None:
    digest = DigestCache({}).tree(tree)  # not remembered: it moves
    if digest != options.tree:
        raise PipelineError(f"its files have the digest {digest}, not {options.tree}")


def _three_ways(package: str, options: FetchOptions, reasons: list[str]) -> str:
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
