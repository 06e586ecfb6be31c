"""The page as a whole: it asks no other host, lets nothing run, and says what was measured."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

from pipeline.models.evaluation import figure_files
from pipeline.reporting.format import percent
from pipeline.reporting.inputs import ReportInputs
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.page import SECTIONS, render
from tests.reporting import synthetic
from tests.reporting.reading import Element, read

LOADING = (
    "src",
    "href",
    "srcset",
    "poster",
    "data",
    "action",
    "formaction",
    "background",
    "xlink:href",
)
MEGABYTES = 6


@pytest.fixture(scope="module")
def root(page: str) -> Element:
    return read(page)


def anchors(root: Element) -> list[str | None]:
    return [section.attributes.get("id") for section in root.all("section")]


def test_every_section_is_there_in_order(root: Element) -> None:
    """But that of films, since no sample is one."""
    shown = [section.anchor for section in SECTIONS if section.anchor != "films"]
    assert anchors(root) == shown
    links = [a.attributes["href"] for a in root.all("nav")[0].all("a")]
    assert links == ["#content", *(f"#{anchor}" for anchor in shown)]


def test_nothing_is_asked_of_any_host(root: Element, page: str) -> None:
    for element in root.all():
        for name in LOADING:
            value = element.attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (element.tag, name)
    style = root.all("style")[0].text
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"fetch|XMLHttpRequest|import\(|https?:", root.all("script")[0].text)
    assert not [link for link in root.all("link") if link.attributes["rel"] != "icon"]


def test_the_policy_lets_in_what_is_on_the_page_and_nothing_else(root: Element) -> None:
    policy = next(
        meta.attributes["content"] or ""
        for meta in root.all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == rules["media-src"] == "data:"
    for tag in ("style", "script"):
        (element,) = root.all(tag)
        digest = b64encode(sha256(element.text.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    # Such a policy would silently drop inline styles and handlers, so there may be none.
    for element in root.all():
        assert not [name for name in element.attributes if name == "style" or name.startswith("on")]


def test_names_from_data_stay_inert(root: Element, page: str) -> None:
    assert synthetic.EVIL not in page
    assert "&lt;script&gt;alert(1)" in page
    shown = [element.text for element in root.all("p", class_="id")]
    assert any(synthetic.EVIL in text for text in shown)
    assert not [e for e in root.all() if "onmouseover" in e.attributes]


def test_the_page_is_the_same_in_another_process(page: str, finished: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.reporting.conftest import inputs_of;"
        "from pipeline.reporting.page import render;"
        "from pipeline.reporting.options import ReportOptions;"
        "sys.stdout.write(render(inputs_of(Path(sys.argv[1])), ReportOptions()))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONIOENCODING": "utf-8"}
    other = subprocess.run(
        [sys.executable, "-c", code, str(finished)],
        capture_output=True, text=True, check=True, env=environment, encoding="utf-8",
    )  # fmt: skip
    assert other.stdout == page


def test_the_page_knows_no_path(page: str, finished: Path) -> None:
    assert str(finished.parent) not in page


def test_figures_are_those_of_the_metrics(root: Element, finished: Path) -> None:
    board = next(s for s in root.all("section") if s.attributes["id"] == "leaderboard")
    for task in synthetic.TARGETS:
        (table,) = [
            t for div in board.all("div") if div.attributes.get("data-task") == task
            for t in div.all("table")
        ]  # fmt: skip
        titles = [th.text for th in table.all("thead")[0].all("th")]
        rows = {row.all("th")[0].text: [td.text for td in row.all("td")] for row in
                table.all("tbody")[0].all("tr")}  # fmt: skip
        assert set(rows) == set(synthetic.MODELS)
        for name, cells in rows.items():
            written = figure_files.read_figures(finished / "evaluation" / name)
            test = written[task]["test"]
            by_title = dict(zip(titles[1:], cells, strict=True))
            for title, key in (
                ("macro-F1", "macro_f1"),
                ("accuracy", "accuracy"),
                ("weighted recall", "weighted_recall"),
                ("calibration error", "ece"),
            ):
                value, low, high = (percent(test[key][part]) for part in ("value", "low", "high"))
                assert by_title[title] == f"{value} {low} to {high}"
            chosen = written[task]["validation"]["macro_f1"]["value"]
            assert by_title["validation macro-F1"].split()[0] == percent(chosen)


def test_the_opening_says_the_chosen_ones_by_validation(root: Element, finished: Path) -> None:
    metrics = {
        name: figure_files.read_figures(finished / "evaluation" / name) for name in synthetic.MODELS
    }

    def best(names: list[str]) -> str:
        return max(names, key=lambda n: metrics[n]["category"]["validation"]["macro_f1"]["value"])

    fusion = best(["concatenation", "attention"])
    single = best(["image", "audio", "text"])
    lead = " ".join(root.all("p", class_="lead")[0].text.split())
    assert f"validation chose {fusion}" in lead
    assert f"also chosen by validation, is {single}" in lead
    tiles = [tile.text for tile in root.all("span", class_="big")]
    for tile, name in zip(tiles, (fusion, single), strict=False):
        assert tile == percent(metrics[name]["category"]["test"]["macro_f1"]["value"])


def test_confusion_counts_add_up(root: Element, finished: Path) -> None:
    tables = root.all("table", class_="matrix")
    assert len(tables) == len(synthetic.MODELS) * len(synthetic.TARGETS)
    test = {
        figure_files.read_figures(path)["category"]["test"]["n"]
        for path in finished.glob("evaluation/*")
    }
    for table in tables:
        cells = [
            td
            for td in table.all("tbody")[0].all("td")
            if "total" not in td.attributes["class"].split()
        ]
        assert {sum(int(cell.text or 0) for cell in cells)} == test


def test_only_the_chosen_is_shown_without_a_script(root: Element, page: str) -> None:
    shown = [e for e in root.all() if "data-model" in e.attributes and "hidden" not in e.attributes]
    assert len({e.attributes["data-model"] for e in shown}) == 1
    assert {e.attributes.get("data-task", "category") for e in shown} == {"category"}


def test_media_can_be_seen_heard_and_told(root: Element) -> None:
    pictures = root.all("img")
    assert len(pictures) > 12
    for image in pictures:
        media_type, data = (image.attributes["src"] or "").removeprefix("data:").split(";base64,")
        assert media_type == "image/webp"
        decoded = cv2.imdecode(np.frombuffer(b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        size = int(image.attributes["width"] or 0), int(image.attributes["height"] or 0)
        assert decoded.shape[1::-1] == size
        assert image.attributes["alt"]
    sounds = root.all("audio")
    assert len(sounds) > 12
    for sound in sounds:
        data = (sound.attributes["src"] or "").removeprefix("data:audio/mpeg;base64,")
        samples, rate = soundfile.read(BytesIO(b64decode(data)))
        assert rate == 16_000
        assert np.abs(samples).max() > 0.05
        assert sound.attributes["aria-label"]


def test_words_keep_their_direction_and_language(root: Element) -> None:
    words = root.all("p", class_="words")
    assert {word.attributes["dir"] for word in words} == {"auto"}
    tagged = {word.attributes.get("lang"): word.text for word in words if "lang" in word.attributes}
    assert set(tagged) >= {"ar", "hi", "zh-CN"}
    assert "صورة" in tagged["ar"]


def test_the_page_can_be_used_by_all(root: Element) -> None:
    assert root.all("html")[0].attributes["lang"] == "en"
    assert len(root.all("h1")) == 1
    ids = [e.attributes["id"] for e in root.all() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for section in root.all("section"):
        assert section.attributes["aria-labelledby"] in ids
    for button in root.all("button"):
        assert button.text.strip() or button.attributes.get("aria-label")
    for select in root.all("select"):
        assert any(select in label.all("select") for label in root.all("label"))
    for drawing in root.all("svg", role="img"):
        assert drawing.attributes.get("aria-label")
    for table in root.all("table"):
        assert table.all("th")


def test_the_page_is_small(page: str) -> None:
    assert len(page.encode()) < MEGABYTES * 10**6


def test_a_larger_gallery_shows_more(inputs: ReportInputs, page: str) -> None:
    few = read(render(inputs, ReportOptions(gallery=4, sheet=0)))
    assert len(few.all("article")) <= 4
    assert "sheet" not in anchors(few)
    assert len(read(page).all("article")) > 8


def test_text_alone_leaves_no_pictures_and_no_players(partial: Callable[..., ReportInputs]) -> None:
    root = read(render(partial(modalities=("text",), models=("text",)), ReportOptions()))
    assert not root.all("img")
    assert not root.all("audio")
    assert {"gallery", "sheet"} <= set(anchors(root))
    assert not {"subsets", "contributions"} & set(anchors(root))
    assert not root.all("span", class_="none")
    notes = root.all("footer")[0].text
    assert "Modalities. There is one modality" in notes
    assert "Contributions. No model sees several modalities" in notes
    assert "No model joins modalities" in root.all("p", class_="lead")[0].text
    assert not root.all("span", class_="fusion")


def test_what_is_missing_is_left_out_with_a_note(partial: Callable[..., ReportInputs]) -> None:
    inputs = partial(augmented=False, models=("image",))
    for name in ("calibration", "subsets"):
        (inputs.root / "evaluation/image" / f"{name}.csv").unlink()
    root = read(render(inputs, ReportOptions()))
    assert not {"sheet", "calibration", "subsets"} & set(anchors(root))
    notes = root.all("footer")[0].text
    for note in ("Augmentation. No modality", "calibration.csv", "subsets.csv"):
        assert note in notes


def test_a_run_without_models_still_has_a_page(partial: Callable[..., ReportInputs]) -> None:
    root = read(render(partial(models=()), ReportOptions()))
    assert root.all("h1")[0].text == "No model yet"
    assert {"refused", "datacard", "lineage"} <= set(anchors(root))


def test_nothing_at_all_is_a_page_too(inside: Path) -> None:
    root = read(render(ReportInputs(inside, (), ("text",), {}, {}, "00"), ReportOptions()))
    assert anchors(root) == ["lineage"]
