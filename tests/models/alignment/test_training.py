from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pipeline.core.errors import PipelineError
from pipeline.models.alignment.options import ALIGNMENT
from pipeline.models.alignment.retrieval import Retrieval
from pipeline.models.network import Network
from pipeline.models.prediction import predict
from pipeline.models.saving import load_model, save_model
from pipeline.models.targets import Unlearnable
from pipeline.models.training.batches import Tensors
from pipeline.models.training.loop import Trained, train
from tests.models.alignment.world import WIDTHS, examples, options

CPU = torch.device("cpu")
TRAIN, VALIDATION = examples(), examples(30, seed=1)
TEST = examples(30, seed=2, absent=0.2)


def trained(**changed) -> Trained:
    return train(TRAIN, VALIDATION, {}, options(**changed), 0, CPU)


@pytest.fixture(scope="module")
def aligned() -> Trained:
    return trained()


def vectors(network: Network) -> tuple[np.ndarray, np.ndarray]:
    return network.vectors(Tensors(TEST, CPU), TEST.present)


def test_what_was_never_seen_finds_its_partner(aligned):
    measured = dict(Retrieval(TEST)(*vectors(aligned.network)))
    assert len(measured) == 6
    for answered in measured.values():
        assert answered.figures()["recall_5"] > 0.8 > 3 * answered.chance["recall_5"]
    last = aligned.curves[-1]
    assert last["validation/score"] == last[f"validation/{ALIGNMENT}/mean_recall"]
    assert last[f"train/{ALIGNMENT}/loss"] < aligned.curves[0][f"train/{ALIGNMENT}/loss"] / 3


@pytest.mark.parametrize(
    "changed",
    [
        {"alignment": {"dimension": 8, "loss": "sigmoid", "temperature": 0.1}},
        {"alignment": {"dimension": 8, "reconstruction": 1.0}, "monitor": "loss"},
    ],
)
def test_other_losses_learn_as_well(changed):
    network = trained(**changed).network
    assert Retrieval(TEST).mean_recall(*vectors(network)) > 0.7


def test_equal_arguments_give_equal_weights(aligned):
    again = trained().network.state_dict()
    for name, weights in aligned.network.state_dict().items():
        assert torch.equal(weights, again[name])


def test_it_is_saved_and_read_back_without_any_task(aligned, tmp_path):
    chosen = options()
    save_model(tmp_path, aligned, TRAIN.sets, {}, chosen, {"made_by": {}})
    model = load_model(tmp_path)
    assert model.options == chosen
    assert model.classes == {}
    assert predict(model.network, TEST, model.priors) == {}
    for before, after in zip(vectors(aligned.network), vectors(model.torch_network), strict=True):
        assert np.array_equal(before, after)


def test_beside_tasks_the_towers_learn_both():
    bits = {"bit": (TRAIN.values["pixels"][0, :, 0] > 0).astype(np.int64)}
    judged = {"bit": (VALIDATION.values["pixels"][0, :, 0] > 0).astype(np.int64)}
    both = options(tasks={"bit": {}}, primary="bit", epochs=6)
    result = train(
        replace(TRAIN, targets=bits),
        replace(VALIDATION, targets=judged),
        {"bit": ["no", "yes"]},
        both,
        0,
        CPU,
    )
    last = result.curves[-1]
    assert last["validation/bit/accuracy"] > 0.8
    assert last[f"validation/{ALIGNMENT}/mean_recall"] > 0.6
    mean = (last["validation/bit/macro_f1"] + last[f"validation/{ALIGNMENT}/mean_recall"]) / 2
    assert last["validation/score"] == pytest.approx(mean)


def test_a_new_model_begins_with_the_towers_of_another(aligned):
    kept = options(features=["pixels", "words"], epochs=1, learning_rate=1e-9, weight_decay=0.0)
    fewer = TRAIN.of_sets([spec for spec in TRAIN.sets if spec.name != "spectrum"])
    judged = VALIDATION.of_sets(list(fewer.sets))
    begun = train(fewer, judged, {}, kept, 3, CPU, towers_from=aligned.network).network
    for name in ("pixels", "words"):
        theirs = aligned.network.by_name[name].state_dict()
        for part, weights in begun.by_name[name].state_dict().items():
            assert torch.allclose(weights, theirs[part], atol=1e-6)


def test_towers_that_are_no_such_towers_are_refused(aligned):
    other = options(tower={"kind": "linear", "width": 16})
    with pytest.raises(PipelineError, match=r"tower of 'pixels' is another one there"):
        train(TRAIN, VALIDATION, {}, other, 0, CPU, towers_from=aligned.network)
    stranger = Network(TRAIN.sets[:1], {}, options(features=["pixels"]))
    rest = TRAIN.of_sets(TRAIN.sets[1:])
    chosen = options(features=list(WIDTHS)[1:])
    with pytest.raises(PipelineError, match=r"reads pixels, and this one none of them"):
        train(rest, VALIDATION.of_sets(rest.sets), {}, chosen, 0, CPU, towers_from=stranger)


def test_without_pairs_there_is_nothing_to_align():
    lonely = replace(TRAIN, present=np.eye(3, dtype=bool)[np.arange(len(TRAIN)) % 3])
    with pytest.raises(Unlearnable, match="train split has no sample with two of audio, image"):
        train(lonely, VALIDATION, {}, options(), 0, CPU)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"alignment": None}, "name a target to learn, or give the model an `alignment`"),
        ({"accumulate": 2}, "leave accumulate and workers at 1"),
        ({"workers": 2}, "leave accumulate and workers at 1"),
        ({"fusion": "early"}, "a space needs a tower for each"),
        ({"primary": "bit"}, r"'bit' is not one of tasks: \['alignment'\]"),
    ],
)
def test_what_cannot_be_aligned_is_said(changed, message):
    with pytest.raises(ValidationError, match=message):
        options(**changed)


def test_a_model_without_alignment_says_nothing_of_it():
    plain = options(alignment=None, tasks={"bit": {}}, primary="bit")
    assert "alignment" not in plain.model_dump(mode="json")
    assert options().primary == ALIGNMENT
