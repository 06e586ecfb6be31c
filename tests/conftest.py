"""What every test shares: one thread, a scratch working directory, a project that has run."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pipeline.core.machine.environment import establish
from pipeline.core.machine.processor import INSTRUCTIONS

establish(INSTRUCTIONS)

from tests.dataset import put_batch, put_project, run, run_stages  # noqa: E402 (it imports NumPy)

# Worker processes, of Ray too, find the tests' own modules.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
)
# Examples are drawn from the test's own name, so that a red run can be repeated.
settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that may take longest begin first, so that no worker is left alone with one.

    What a test may take is its own timeout; of those without, a slow one counts a minute, another
    a second. The project is made by the first file that wants it, and the next would only wait for
    it: so a file that does without stands between them.
    """
    weight: Counter[Path] = Counter()
    for item in items:
        limit, slow = item.get_closest_marker("timeout"), item.get_closest_marker("slow")
        weight[item.path] += limit.args[0] if limit else 60 if slow else 1
    order = sorted(weight, key=lambda path: -weight[path])
    wanting = {i.path for i in items if "project_that_ran" in getattr(i, "fixturenames", ())}
    second = next((path for path in order[1:] if path not in wanting), None)
    if second is not None:
        order.remove(second)
        order.insert(1, second)
    items.sort(key=lambda item: order.index(item.path))


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A command configures logging for its process, which here runs other tests after it."""
    root, ours = logging.getLogger(), logging.getLogger("pipeline")
    levels = root.level, ours.level
    yield
    for handler in [one for one in root.handlers if type(one).__module__ == "pipeline.core.logs"]:
        root.removeHandler(handler)
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture(scope="session", autouse=True)
def no_power_is_lost() -> Iterator[None]:
    """What is written need not reach the disk, for which thousands of small files would wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is kept for the user is not this user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A scratch folder as the working directory: locks and run records land there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def project_that_ran(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A project whose graph has run, once for the test processes together."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "project"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            making = folder.with_name("project-in-the-making")
            put_project(making, executor="serial")
            put_batch(making / "data" / "raw" / "shapes" / "first", 0, 14)
            # For a third of what `dvc repro` takes, which tests/project/test_init.py runs.
            run_stages(making)
            run(making, "dvc", "commit", "--quiet", "--force")
            making.rename(folder)
    return folder


@pytest.fixture(scope="module")
def project(project_that_ran: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it of a test file's own: what one file's tests do there no other file sees."""
    folder = tmp_path_factory.mktemp("project") / "project"
    shutil.copytree(project_that_ran, folder, symlinks=True)
    return folder


@pytest.fixture(scope="module")
def ray_runs() -> Iterator[None]:
    """Ray on this machine: to start it takes longer than all that a file's tests do on it."""
    from pipeline.execution.ray_session import session

    with session(4):
        yield
