"""The recipes of sentiment on a slice of what they fetch: from files to figures and answers."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.inference.inputs import samples_of
from pipeline.inference.predictor import Predictor
from pipeline.models.tasks import task_of
from pipeline.sources.emoji import COUNTS
from pipeline.sources.fillets import LABELS
from tests.dataset import CLASSES, picture, sound
from tests.recipes.slices import put_slice, run_slice

GROUPS = 24
SAYINGS = ("how awful", "so be it", "how lovely")


def write(path: Path, data: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def put_fillets(folder: Path) -> None:
    """A scene has one line of each polarity, in two voices."""
    batch = folder / "1"
    labels = ["line,first,second"]
    for scene in range(GROUPS):
        script = ""
        for level, (kind, saying) in enumerate(zip(CLASSES, SAYINGS, strict=True), start=-1):
            script += f'dialogId("{kind}", "font_big", "{saying}")\ndialogStr("{saying} {scene}")\n'
            labels.append(f"s{scene}/{kind},{level},{2 * level}")
            for voice, pitch in (("cs", 0), ("nl", 20)):
                path = batch / f"sound/s{scene}/{voice}/{kind}.ogg"
                write(path, sound(kind, scene + pitch))
        write(batch / f"script/s{scene}/dialogs_nl.lua", script)
        write(batch / f"script/s{scene}/dialogs_en.lua", script)
        write(
            batch / f"script/s{scene}/models.lua", 'createRoom(9, 7, "images/"..codename.."/p.png")'
        )
        write(batch / f"images/s{scene}/p.png", picture("circle", scene))
    write(batch / LABELS, "\n".join(labels) + "\n")


def put_emoji(folder: Path) -> None:
    """A third each of which most tweets were negative, neutral, positive."""
    batch = folder / "1"
    counts, words = [], []
    for number in range(GROUPS):
        sequence, level = f"1F6{number:02}", number % 3
        times = {"negative": 1, "neutral": 2, "positive": 1}
        times[("negative", "neutral", "positive")[level]] += 5
        counts.append({"sequence": sequence, "occurrences": 9, **times})
        words.append({"hexcode": sequence, "label": f"{SAYINGS[level]} {number}", "group": 0})
        write(batch / f"speech/en/{sequence}.wav", sound(CLASSES[level], number))
        side = 20 + number
        shape = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 72"><rect x="9" y="9" '
            f'width="{side}" height="{side}" fill="#c33"/><circle cx="50" cy="50" r="9"/></svg>'
        )
        write(batch / f"pictures/{sequence}.svg", shape)
    write(batch / COUNTS, json.dumps(counts))
    for language in ("en", "de", "es"):
        write(batch / f"words/{language}/compact.json", json.dumps(words))


# In place of what takes seconds to load.
LIGHT = {
    "efficientnet_lite0": {"encoder": "colour_hog"},
    "prosody": {"encoder": "mfcc"},
    "use_multilingual": {"encoder": "hashing"},
}
TRAINING = {"epochs": 12, "batch_size": 16, "learning_rate": 0.01}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "raw"), [("fillets", put_fillets), ("emoji", put_emoji)])
def test_sentiment_is_learnt_and_new_words_are_answered_for(
    name: str, raw: Callable[[Path], None], inside: Path
) -> None:
    params = put_slice(inside, name, raw, ["gated"], LIGHT, TRAINING)
    run_slice(params)
    with Path("data/evaluation/gated/figures.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    figures = {row["figure"]: float(row["value"]) for row in rows if row["task"] == "sentiment"}
    assert figures.keys() >= {*task_of("sentiment").FIGURES}
    assert figures["pearson"] > 0.5
    predictor = Predictor.load(inside, "gated")
    asked = samples_of(["--text", SAYINGS[0]], params)
    answer = predictor.predict(asked).answers.to_pylist()[0]
    assert float(answer["answer.sentiment"]) < 0
    assert answer["answer.polarity"] == "negative"
