"""The project that lives through nights: a clone without data, its remotes, and who it tells."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from pipeline.core.files.atomic import MEMORY, remove
from pipeline.core.files.digest import digest_file
from pipeline.core.folders import DATA, RAW, REPORTS
from pipeline.nightly.options import NightlyOptions
from pipeline.nightly.quarantine import HELD
from pipeline.nightly.repository import run_dvc
from pipeline.nightly.unlabelled import ANSWERS
from pipeline.store.trees.git import git

HOOK = "SIMULATED_WEBHOOK"
REMOTE = "store"


def put_project(
    folder: Path,
    source: str,
    targets: Collection[str],
    attributes: Collection[str],
    options: NightlyOptions,
) -> None:
    """A clone of this project's commit without data, with one source that reads what lands."""
    git(Path(), "clone", "--quiet", "--no-hardlinks", ".", str(folder.absolute()))
    for name, fallback in (("user.name", "night"), ("user.email", "night@localhost")):
        git(folder, "config", name, fallback)
    document = yaml.safe_load((folder / "params.yaml").read_text())
    table = {"targets": {name: name for name in targets}, "attributes": [*attributes]}
    document |= {"sources": {source: {"kind": "folder", **table}}, "fetch": {}, "look": {}}
    document |= {"download": {}, "predict": {}}
    document.pop("contract", None)
    (folder / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    stated = options.model_dump(mode="json", exclude_defaults=True)
    (folder / "nightly.yaml").write_text(yaml.safe_dump(stated))
    for path in (folder / "dvc.lock", folder / "aliases.yaml", folder / "nightly", folder / DATA):
        remove(path)
    (folder / MEMORY).mkdir(exist_ok=True)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-verify", "--message", "Before the first night")


@dataclass
class Remotes:
    """Of git and of DVC, below one folder, which may go away and come back."""

    folder: Path

    def put(self, project: Path) -> None:
        """Make both, and let a project know them."""
        self.folder.mkdir()
        branch = git(project, "symbolic-ref", "--short", "HEAD").decode().strip()
        bare = str(self.folder / "git")
        git(Path(), "init", "--quiet", "--bare", f"--initial-branch={branch}", bare)
        git(project, "remote", "set-url", "origin", bare)
        (project / ".dvc" / "config.local").write_text(
            f"['remote \"{REMOTE}\"']\n    url = {self.folder / REMOTE}\n"
        )

    @contextmanager
    def gone(self) -> Iterator[None]:
        """While this lasts nothing can be pushed to either."""
        elsewhere = self.folder.rename(self.folder.with_name(f"{self.folder.name}.gone"))
        self.folder.touch()
        try:
            yield
        finally:
            self.folder.unlink()
            elsewhere.rename(self.folder)

    def clone(self, folder: Path) -> None:
        """What a colleague gets from them, data and all."""
        git(Path(), "clone", "--quiet", str(self.folder / "git"), str(folder))
        (folder / ".dvc" / "config.local").write_text(
            f"['remote \"{REMOTE}\"']\n    url = {self.folder / REMOTE}\n"
        )
        here = Path.cwd()
        try:
            os.chdir(folder)
            run_dvc("pull", "--quiet", "--remote", REMOTE)
        finally:
            os.chdir(here)


@dataclass
class Hook:
    """A webhook of this machine, and what was told by it."""

    told: list[str] = field(default_factory=list)
    answers: threading.Event = field(default_factory=threading.Event)


@contextmanager
def hook() -> Iterator[Hook]:
    """A webhook that answers as long as `answers` is set, whose URL the environment holds."""
    told = Hook()
    told.answers.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not told.answers.is_set():
                told.answers.wait()
                return
            told.told.append(body["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing of it goes to the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ[HOOK] = f"http://127.0.0.1:{server.server_port}"
    try:
        yield told
    finally:
        del os.environ[HOOK]
        told.answers.set()
        server.shutdown()
        server.server_close()


def data_digests(root: Path = Path(DATA)) -> dict[str, str]:
    """Path → digest of all that stages made of the accepted batches, but for the report."""
    others = (RAW, HELD, REPORTS, ANSWERS.name)
    return {
        path.relative_to(root).as_posix(): digest_file(path)
        for path in sorted(root.rglob("[!.]*"))
        if path.is_file() and path.relative_to(root).parts[0] not in others
    }
