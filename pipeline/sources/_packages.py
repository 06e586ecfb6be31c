"""A batch made of packages, the same to the byte whichever way they come.

The registries differ in how their own client is asked, which is data: `CLIENTS`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import Field, model_validator

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_file
from pipeline.core.files.digest_cache import DigestCache, open_digest_cache
from pipeline.core.options import Options
from pipeline.sources._archives import unpack

SHA256 = r"^[0-9a-f]{64}$"
TREE = "SHA-256, in hex, of what `sha256sum` prints for all files of the batch, sorted by path"
ELSEWHERE = (
    "Where a client reaches no network, or apt lacks its lists (`apt-get update` as root), "
    "download the files elsewhere, and set `file` of each package under `fetch` in params.yaml "
    "to its path."
)
# Puts the files of a batch into a folder that is not there yet.
Way = Callable[[Path], None]


@dataclass(frozen=True)
class Client:
    """How a registry's client brings a package's file into the working directory.

    Parameters
    ----------
    command, request:
        The command and its standard input, in which `{name}`, `{version}` and `{sha256}` stand.
    """

    command: tuple[str, ...]
    request: str = ""


CLIENTS = {
    "apt": Client(("apt-get", "download", "--quiet", "{name}={version}")),
    "npm": Client(("npm", "pack", "--silent", "{name}@{version}")),
    # By the digest pip chooses among a version's files, and runs no code of another one.
    "pip": Client(
        (
            *("pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--require-hashes", "--requirement", "/dev/stdin"),
        ),
        request="{name}=={version} --hash=sha256:{sha256}\n",
    ),
}


@dataclass(frozen=True)
class Package:
    """What a source takes of a package.

    Parameters
    ----------
    client:
        A name of `CLIENTS`.
    folders:
        Folder or file inside the package → folder of the batch, "" for the batch itself.
    """

    client: str
    folders: Mapping[str, str]


class PackageOptions(Options):
    """One package that a batch is made of."""

    version: str = Field(pattern=r"^[0-9][\w.:+~-]*$", description="version of the package")
    sha256: str = Field(pattern=SHA256, description="SHA-256 of the package's file, in hex")
    file: Path | None = Field(None, description="path of the file, if it was downloaded before")


class FetchOptions(Options):
    """Which packages make the batch; a source says in `PACKAGES` what it takes of them."""

    PACKAGES: ClassVar[Mapping[str, Package]] = {}

    version: str = Field(pattern=r"^[0-9][\w.+~-]*$", description="names the batch")
    tree: str = Field(pattern=SHA256, description=TREE)
    packages: dict[str, PackageOptions] = Field(description="package → which file of it")

    @model_validator(mode="after")
    def _check_packages(self) -> FetchOptions:
        if self.packages.keys() != self.PACKAGES.keys():
            raise ValueError(f"`packages` takes exactly {', '.join(self.PACKAGES)}")
        return self


def fetch(folder: Path, options: FetchOptions, finish: Way = lambda tree: None) -> bool:
    """Put what a source takes of its packages at <folder>/<version>; see `place`.

    `finish` makes the batch of what was unpacked.
    """

    def unpack_and_finish(tree: Path) -> None:
        unpack_packages(options, tree)
        finish(tree)

    return place(
        folder / options.version,
        options.tree,
        [unpack_and_finish],
        lambda reasons: f"{folder.name} {options.version} cannot be fetched:\n{reasons[0]}",
    )


def unpack_packages(options: FetchOptions, tree: Path) -> None:
    """Write what a source takes of its packages to `tree`, which need not be there.

    A package's file is the one that options name, else its registry's client fetches it, into a
    folder beside `tree`.

    Raises
    ------
    PipelineError
        Packages that cannot be had, all of them, each with what to do.
    """
    problems = []
    for name, package in options.PACKAGES.items():
        wanted = options.packages[name]
        try:
            file = wanted.file or download(
                package.client, name, wanted.version, wanted.sha256, tree.parent / "package"
            )
            check_file(file, wanted.sha256)
            unpack(file, package.folders, tree)
        except PipelineError as error:
            problems.append(f"- {name} {wanted.version} ({package.client}): {error}")
    if problems:
        raise PipelineError("\n".join([*problems, ELSEWHERE]))


def keep(tree: Path, paths: Collection[str]) -> None:
    """Remove all files of a batch but those at `paths`, and what folders are empty then."""
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.is_dir():
            with suppress(OSError):
                path.rmdir()
        elif path.relative_to(tree).as_posix() not in paths:
            path.unlink()


def place(
    batch: Path, digest: str, ways: Sequence[Way], explain: Callable[[Sequence[str]], str]
) -> bool:
    """Put a batch where it belongs, whole and with the digest that is asked for.

    What already stands there with that digest is left alone, and False returned. Otherwise the
    files come by the first of the ways that leads to them, through a scratch folder and a rename,
    so that half of them never count as all.

    Parameters
    ----------
    digest:
        Of all files, as `DigestCache.tree` has it.
    ways:
        Each gets a folder that is not there, but the one above it, in which it may keep more.
    explain:
        The message of the error, of why each of the ways leads nowhere.

    Raises
    ------
    PipelineError
        No way led to the files.
    """
    # Beside the batch, because a rename cannot cross file systems; hidden, so that it is no batch.
    # One name for all attempts, so that what a killed one left is removed by the next.
    scratch = batch.parent / ".fetching"
    shutil.rmtree(scratch, ignore_errors=True)
    with open_digest_cache() as digests:
        if batch.is_dir() and digests.tree(batch) == digest:
            return False

    scratch.mkdir(parents=True)
    try:
        (scratch / ".dvcignore").write_text("*\n")  # nor does DVC see what a killed one left
        tree = scratch / "tree"
        _obtain(tree, digest, ways, explain)
        if batch.exists():
            batch.replace(scratch / "replaced")
        tree.replace(batch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return True


def download(client: str, name: str, version: str, sha256: str, folder: Path) -> Path:
    """The file of a package, by its registry's client, in a folder that is emptied for it.

    Raises
    ------
    PipelineError
        The client is not there, or failed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    asked = {"name": name, "version": version, "sha256": sha256}
    command = [word.format(**asked) for word in CLIENTS[client].command]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"LC_ALL": "C"},
            input=CLIENTS[client].request.format(**asked),
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise PipelineError(f"this machine has no {command[0]}") from None
    files = [*folder.iterdir()]
    if done.returncode or len(files) != 1:
        complaint = (done.stderr.strip() or "no file came").splitlines()[-1]
        raise PipelineError(f"`{' '.join(command)}` failed: {complaint}")
    return files[0]


def check_file(file: Path, sha256: str) -> None:
    """Hold a package's file to its digest.

    Raises
    ------
    PipelineError
        It is not there, or has another one.
    """
    if not file.is_file():
        raise PipelineError(f"there is no file {file}")
    digest = digest_file(file)
    if digest != sha256:
        raise PipelineError(f"{file.name} has SHA-256 {digest}, not {sha256}")


def _obtain(
    tree: Path, digest: str, ways: Sequence[Way], explain: Callable[[Sequence[str]], str]
) -> None:
    """Put the files at `tree` by the first way that leads to them, all of them."""
    reasons = []
    for way in ways:
        try:
            way(tree)
            _check_tree(tree, digest)
            return
        except PipelineError as error:
            reasons.append(str(error))
            shutil.rmtree(tree, ignore_errors=True)
    raise PipelineError(explain(reasons))


def _check_tree(tree: Path, asked: str) -> None:
    digest = DigestCache({}).tree(tree)  # not remembered: it moves
    if digest != asked:
        raise PipelineError(f"its files have the digest {digest}, not {asked}")
