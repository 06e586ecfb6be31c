"""The classical model: a CNN that sees pixels and an LSTM that reads words, trained end to end."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import torch

from pipeline.core.errors import PipelineError
from pipeline.encoders import pixels, tokens
from pipeline.models.examples import Examples, FeatureSpec, build_examples
from pipeline.models.prediction import predict
from pipeline.models.saving import load_model, save_model
from pipeline.models.statistics import feature_moments, id_counts
from pipeline.models.training.loop import Trained, train
from tests.models.synthetic import SETS, joined, options

SIDE, WORDS = 16, 8
FILLING = ("a", "the", "small", "very", "old", "new")
CLASSES = {"category": [f"k{i}" for i in range(4)]}
CHOSEN = options(
    features=["pixels", "tokens"],
    tasks={"category": {}},
    towers={
        "pixels": {"kind": "cnn", "channels": 3, "filters": 8, "layers": 2, "hidden": 16},
        "tokens": {
            "kind": "embedding",
            "words": 50,
            "numbers": 8,
            "reader": {"kind": "lstm", "hidden": 16},
        },
    },
    epochs=12,
)


def world(n: int, seed: int) -> Examples:
    """A bar that lies or stands somewhere, and two words whose order tells, among others.

    No single pixel and no bag of words knows anything of the class.
    """
    rng = np.random.default_rng(seed)
    answer = rng.integers(0, 4, n)
    pictures, texts = [], []
    for one in answer:
        picture = rng.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
        row, column = rng.integers(0, SIDE - 8, 2)
        picture[row : row + (2 if one & 1 else 8), column : column + (8 if one & 1 else 2)] += 180
        pictures.append(picture)
        words = list(rng.choice(FILLING, 3))
        place = rng.integers(0, 4)
        words[place:place] = ["dog", "bites", "man"][:: 1 if one & 2 else -1]
        texts.append(" ".join(words))
    seen = pixels.Encoder(pixels.Options(side=SIDE)).encode(pictures)
    read = tokens.Encoder(tokens.Options(words=WORDS)).encode(texts)
    present = rng.random((n, 2)) > 0.1
    present[~present.any(1)] = True
    return Examples(
        sets=(
            FeatureSpec("pixels", "image", seen[0].shape[1:]),
            FeatureSpec("tokens", "text", read[0].shape[1:]),
        ),
        values={"pixels": seen[0][None], "tokens": read[0][None]},
        lengths={"pixels": seen[1][None], "tokens": read[1][None]},
        present=present,
        targets={"category": answer},
        component=np.array([f"c{i}" for i in range(n)]),
        sample_ids=np.array([f"s{i}" for i in range(n)]),
    )


@cache
def trained() -> Trained:
    training, validation = world(500, 1), world(150, 2)
    return train(training, validation, CLASSES, CHOSEN, 0, torch.device("cpu"))


def test_it_learns_what_no_pixel_and_no_bag_of_words_knows():
    test = world(300, 3)
    probabilities = predict(trained().network, test, trained().priors)["category"]
    right = probabilities.argmax(1) == test.targets["category"]
    both = test.present.all(1)
    assert right[both].mean() > 0.85
    assert 0.35 < right[~both].mean() < 0.75  # one bit of the two, and half a chance of the other


def test_what_it_learned_of_words_and_colours_comes_back_from_disk(tmp_path):
    test = world(20, 3)
    save_model(tmp_path, trained(), test.sets, CLASSES, CHOSEN, {"made_by": {}})
    model = load_model(tmp_path)
    assert model.options == CHOSEN
    before = predict(trained().network, test, trained().priors)["category"]
    assert np.array_equal(predict(model.network, test, model.priors)["category"], before)
    vocabulary = model.network.towers[1].kind.get_buffer("words")
    assert (vocabulary < 2**24).sum() == 3 + len(FILLING)
    settings = json.loads((tmp_path / "model.json").read_text())["options"]["towers"]["tokens"]
    assert settings["reader"] == {
        "kind": "lstm", "width": 8, "times": False, "hidden": 16, "dropout": 0.3
    }  # fmt: skip


def test_statistics_and_words_are_of_what_is_there_alone():
    some = world(40, 4)
    absent = ~some.present[:, 1]
    some.values["tokens"][0, absent] = 7
    some.values["pixels"][0, ~some.present[:, 0]] = np.nan
    ids, often = id_counts(some, "tokens")
    assert 7 not in ids
    assert 0 not in ids
    assert (np.diff(ids) > 0).all()
    assert often.sum() == 6 * (~absent).sum()
    assert np.isfinite(feature_moments(some, "pixels")).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_no_numbers_are_refused_where_they_are_present(bad):
    one, other = joined(), joined(view=1)
    absent = ~one.present["words"]
    one.values["words"][absent] = bad
    other.values["words"][absent] = bad
    assert len(build_examples([one, other], SETS, {}, {})) == len(absent)
    shown = np.flatnonzero(~absent)
    one.values["words"][shown[:3], 1] = bad
    other.values["words"][shown[2:5], 0] = bad
    with pytest.raises(PipelineError, match=f"'words': 5 of {len(shown)} samples .*not finite"):
        build_examples([one, other], SETS, {}, {})
