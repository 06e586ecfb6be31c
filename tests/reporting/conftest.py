"""One finished run that the tests of the report share and do not change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.reporting.inputs import ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.page import render
from tests.reporting import synthetic

MODALITIES = ("image", "audio", "text")


def inputs_of(
    root: Path,
    modalities: tuple[str, ...] = MODALITIES,
    models: tuple[str, ...] = tuple(synthetic.MODELS),
) -> ReportInputs:
    features = {name: m for name, m in synthetic.FEATURES.items() if m in modalities}
    return ReportInputs(root, models, modalities, features, synthetic.TARGETS, "ab" * 32)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data root of a finished run."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "data").mkdir()
        synthetic.build(folder / "data")
    return folder / "data"


@pytest.fixture(scope="session")
def inputs(finished: Path) -> ReportInputs:
    return inputs_of(finished)


@pytest.fixture(scope="session")
def page(inputs: ReportInputs) -> str:
    return render(inputs, ReportOptions())


@pytest.fixture
def partial(inside: Path) -> Callable[..., ReportInputs]:
    """Builds a run that lacks something, in a scratch folder."""

    def build(
        modalities: tuple[str, ...] = MODALITIES,
        models: tuple[str, ...] = tuple(synthetic.MODELS),
        augmented: bool = True,
    ) -> ReportInputs:
        root = inside / "data"
        root.mkdir()
        synthetic.build(root, modalities, models, augmented, subjects=15)
        return inputs_of(root, modalities, models)

    return build
