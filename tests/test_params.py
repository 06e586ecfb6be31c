from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import PipelineError
from pipeline.params import load, parse

HERE = Path(__file__).parents[1]


def document() -> dict[str, Any]:
    return yaml.safe_load((HERE / "params.yaml").read_text())


def mistakes(changed: dict[str, Any]) -> list[str]:
    with pytest.raises(PipelineError) as caught:
        parse(changed)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_the_default_recipe_is_valid_and_frozen() -> None:
    params = load(HERE / "params.yaml")
    assert params.set_modalities["mfcc"] == "audio"
    with pytest.raises(AttributeError):
        params.seed = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        params.parts.mean_rows = 1


def test_every_mistake_is_said_at_once_with_its_path() -> None:
    changed = document()
    changed["seed"] = -1
    changed["sede"] = 3
    changed["clean"]["image"]["max_sid"] = 3
    changed["clean"]["audio"]["max_seconds"] = 0
    changed["features"]["mfcc"]["encoder"] = "mffc"
    changed["models"]["audio"]["features"] = ["mfc"]
    changed["curate"]["ratios"]["train"] = 0.9
    found = mistakes(changed)
    for start in [
        "seed: ",
        "sede: unknown section 'sede'; there are: augment",
        "clean.image.max_sid: unknown key 'max_sid'; there are: max_aspect",
        "clean.audio.max_seconds: ",
        "features.mfcc.encoder: unknown encoder 'mffc'; there are: ",
        "models.audio.features.0: unknown feature set 'mfc'; there are: ",
        "curate.ratios: train, validation and test sum to 1.2",
    ]:
        assert [line for line in found if line.startswith(start)], start


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("modalities",), ["image", "smell"], "modalities.1: unknown modality 'smell'"),
        (("modalities",), ["image", "image"], "named twice"),
        (("sources", "stamps", "kind"), "stamp", "sources.stamps.kind: unknown source 'stamp'"),
        (("fetch", "stemps"), {}, "fetch.stemps: unknown source 'stemps'; there are: stamps"),
        (("features", "mfcc", "modality"), "image", "'mfcc' encodes audio, not image"),
        (("models", "image", "tasks"), {"category": {}, "colour": {}}, "unknown target 'colour'"),
        (("models", "image", "views"), 3, "trains on 3 views, but augment makes 2"),
        (("models", "gated", "fusion"), "sum", "unknown fusion 'sum'; there are: "),
        (("curate", "join_on", "smell"), "equal", "unknown modality 'smell'"),
        (("clean", "smell"), {}, "clean.smell: unknown modality"),
        (("execution", "workers"), 0, "execution.workers: "),
        (("targets", "category", "kind"), "multi", "targets.category.kind: "),
        (("parts",), 3, "parts: "),
    ],
)
def test_a_mistake_names_what_is_wrong(path: tuple[str, ...], value: Any, message: str) -> None:
    changed = document()
    section = changed
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    assert [line for line in mistakes(changed) if message in line]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\nseed: 2\n", "the key 'seed' is given twice"),
        ("a: [", "is not YAML"),
        ("- 1\n", "mistake"),
        ("", "modalities: give a list"),
    ],
)
def test_files_that_are_no_params(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(PipelineError, match=message):
        load(tmp_path / "params.yaml")


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="run this in the project's folder"):
        load(tmp_path / "params.yaml")
