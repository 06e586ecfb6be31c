"""The recipe of the film on a made one: spans of one file, from shots to answers and the page."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.inference.inputs import samples_of
from pipeline.inference.predictor import Predictor
from pipeline.sources.big_buck_bunny import COLUMNS, FILM, SHOTS
from tests.modalities.video.known import RATE, written
from tests.recipes.slices import put_slice, run_slice

pytest.importorskip("av")

MOODS, ACTIONS, SEEN = (
    ("neutral", "pleasant", "tense"),
    ("calm", "action"),
    ("bunny", "rodents", "both", "none"),
)
SHOTS_MADE, TENTHS = 30, 5
LIGHT = {
    "look": {"encoder": "colour_hog"},
    "frames": {"pictures": {"encoder": "colour_hog"}, "frames": 2},
}
TRAINING = {"epochs": 6, "batch_size": 16, "learning_rate": 0.02}


def put_film(folder: Path) -> None:
    """Two shots a scene; a mood has its colour and its tone."""
    rng = np.random.default_rng(0)
    pictures, sounds, rows = [], [], []
    time = np.arange(RATE * TENTHS // 10) / RATE
    for shot in range(SHOTS_MADE):
        mood = shot % 3
        picture = rng.integers(0, 80, (36, 64, 3), np.uint8)
        picture[:, :, mood] += 120
        pictures += [np.roll(picture, 2 * step, axis=1) for step in range(TENTHS)]
        sounds.append(8000 * np.sin(2 * np.pi * (300 + 500 * mood + shot) * time))
        labels = {"mood": MOODS[mood], "action": ACTIONS[shot % 2], "seen": SEEN[shot % 4]}
        rows.append(
            {
                "shot": f"s{shot:03}",
                "start": shot * TENTHS / 10,
                "end": (shot + 1) * TENTHS / 10,
                "scene": f"scene{shot // 2:02}",
                **{f"{name}{reader}": label for name, label in labels.items() for reader in (1, 2)},
            }
        )
    batch = folder / "2.2.1"
    batch.mkdir(parents=True)
    (batch / FILM).write_bytes(written(pictures, np.concatenate(sounds).astype(np.int16)))
    with (batch / SHOTS).open("w", newline="") as file:
        writer = csv.DictWriter(file, sorted(COLUMNS))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.slow
def test_the_mood_of_shots_is_learnt_and_the_page_has_them_on_one_time_axis(inside: Path) -> None:
    params = put_slice(inside, "film", put_film, ["sum"], LIGHT, TRAINING)
    run_slice(params)
    with Path("data/evaluation/sum/figures.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    figures = {(row["task"], row["figure"]): float(row["value"]) for row in rows}
    assert figures["mood", "macro_f1"] > 0.6

    page = Path("data/reports/index.html").read_text(encoding="utf-8")
    section = page[page.index('<section id="films"') :].partition("</section>")[0]
    assert section.count('src="data:image/webp;base64,') == 1
    assert section.count('class="outline"') == 1
    truths = re.findall(r"<title>(\S+) to (\S+): (\w+), (\w+)</title>", section)
    assert len(truths) == 3 * SHOTS_MADE
    assert ("0:01.0", "0:01.5", "tense") in {truth[:3] for truth in truths}
    predicted = re.findall(
        r"<title>\S+ to \S+: predicted (\w+) \([\d.]+ %\), true is (\w+)", section
    )
    tested = sum(truth[3] == "test" for truth in truths)
    assert len(predicted) == tested > 0
    assert section.count('class="fault"') == sum(answer != true for answer, true in predicted)

    asked = samples_of([f"data/raw/film/2.2.1/{FILM}#t=1,1.5"], params)
    answer = Predictor.load(inside, "sum").predict(asked).answers.to_pylist()[0]
    assert answer["answer.mood"] == "tense"
