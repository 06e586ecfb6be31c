"""Every command that the documents show is run, and every file that they name exists."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.command import call
from tests.dataset import HERE, run

PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/comparison.md",
    "docs/compress.md",
    "docs/encoders.md",
    "docs/handover.md",
    "docs/models.md",
    "docs/nightly.md",
    "docs/monitoring.md",
    "docs/own-data.md",
    "docs/performance.md",
    "docs/predict.md",
    "docs/reproducibility.md",
    "docs/scaling.md",
    "docs/security.md",
    "docs/store.md",
    "docs/verification.md",
    "docs/video.md",
    "CHANGELOG.md",
    "data/README.md",
    *(f"docs/recipes/{path.name}" for path in sorted((HERE / "docs" / "recipes").glob("*.md"))),
)


def commands(page: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", (HERE / page).read_text(), re.DOTALL | re.MULTILINE)
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


SHOWN = sorted({command for page in PAGES for command in commands(page)})
# In this order: tests/project/test_init.py.
OWN_DATA = (
    "pipeline init --data ~/my-data mine && cd mine",
    "pipeline check",
    "dvc repro",
    "pipeline rejects",
    "pipeline report",
)
# In a project, with folders of its own.
BATCHES = (
    "pipeline init mine",
    "pipeline add ~/more-data --source mine --batch 2026-02",
    "pipeline add ~/more-data --table train.tsv",
)
# In this order: tests/test_sweep.py.
SWEEP = (
    "dvc exp run --queue -S '++models.gated.learning_rate=0.001,0.004' evaluate@gated",
    "dvc exp run --run-all",
    "dvc exp show --only-changed",
    "pipeline promote gated --dry-run",
    "pipeline promote gated",
)
# tests/test_comparison.py
COMPARISON = (
    "mkdir comparison && cp recipes/comparison.dvc.yaml comparison/dvc.yaml",
    "dvc repro comparison/dvc.yaml",
)
# tests/recipes/test_recipes.py
RECIPES = tuple(line for line in SHOWN if re.match(r"pipeline init \w+ --recipe ", line))
# tests/recipes/test_verification.py
TRIALS = tuple(line for line in SHOWN if line.startswith("pipeline trial "))
# tests/nightly/test_docs.py
NIGHTLY = tuple(line for line in SHOWN if line.startswith(("pipeline nightly ", "pipeline gc ")))
# tests/test_windows.py
FILMS = tuple(line for line in SHOWN if line.startswith("pipeline segment "))
# tests/recipes/test_naming.py
NAMES = tuple(line for line in SHOWN if " --given name=" in line)
# tests/project/test_freeze.py
SPACES = tuple(line for line in SHOWN if line.startswith("pipeline store search infonce_"))
# tests/packaging/test_package.py
REVISIONS = tuple(line for line in SHOWN if re.match(r"pipeline package \w+ --rev ", line))
ELSEWHERE = (
    *(OWN_DATA + BATCHES + SWEEP + COMPARISON + NIGHTLY),
    *(RECIPES + TRIALS + FILMS + NAMES + SPACES + REVISIONS),
)


def test_commands_are_found() -> None:
    assert len(SHOWN) > 15
    assert set(ELSEWHERE) <= set(SHOWN)


@pytest.mark.parametrize("command", [line for line in SHOWN if line.startswith("make ")])
def test_make_knows_the_target(command: str) -> None:
    dry = ["make", "--dry-run", *shlex.split(command)[1:]]
    subprocess.run(dry, cwd=HERE, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "command",
    [line for line in SHOWN if not line.startswith("make ") and line not in ELSEWHERE],
)
def test_a_command_shown_works(
    project: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own in this process, but those that are about it: a stage's parent, the browser."""
    monkeypatch.setenv("BROWSER", "true")
    monkeypatch.chdir(project)
    if re.match(r"pipeline (?!stage|report)", command):
        code, output = call(*shlex.split(command)[1:])
        assert code == 0, output
    else:
        run(project, "sh", "-c", command)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)]+)\)", (HERE / page).read_text())
    here = [link for link in links if not link.startswith("http")]
    assert [link for link in here if not leads_somewhere(HERE / page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether there is such a file and, where `#heading` stands behind it, such a heading in it."""
    path, mark, heading = link.partition("#")
    target = page.parent / path if path else page
    return target.exists() and (not mark or heading in anchors(target))


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^a-z0-9_ -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_a_link_to_no_heading_leads_nowhere() -> None:
    page = HERE / "docs" / "recipes" / "retrieval.md"
    assert leads_somewhere(page, "../models.md#alignment")
    assert not leads_somewhere(page, "../models.md#nonesuch")
    assert not leads_somewhere(page, "../nonesuch.md#alignment")


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_left_to_be_filled_in(page: str) -> None:
    assert re.findall(r"@[A-Z]+@", (HERE / page).read_text()) == []


@pytest.mark.parametrize("page", PAGES)
def test_paths_of_the_package_exist(page: str) -> None:
    text = (HERE / page).read_text()
    named = {path for path in re.findall(r"`((?:\w+/)+\w+\.py)`", text) if "<" not in path}
    folders = (HERE, HERE / "pipeline")
    assert [path for path in named if not any((one / path).exists() for one in folders)] == []
