from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from pipeline.models.alignment.options import AlignmentOptions
from pipeline.models.alignment.space import FIRST_BIAS, LARGEST_SCALE, Space

KIN = torch.tensor([0, 0, 1, 2, 2, 3])
HAS = torch.tensor(
    [[1, 1, 1], [1, 1, 0], [1, 0, 1], [1, 1, 1], [0, 1, 1], [0, 0, 1]], dtype=torch.bool
)


def space(**changed) -> Space:
    torch.manual_seed(0)
    options = AlignmentOptions.model_validate({"dimension": 4, **changed})
    return Space([0, 1, 2, 2], width=5, bands=[3, 2, 0, 6], options=options)


def vectors() -> torch.Tensor:
    drawn = torch.randn(len(KIN), 3, 4, generator=torch.Generator().manual_seed(1))
    return normalize(drawn, dim=2) * HAS[..., None]


def by_hand(vectors: np.ndarray, loss: str, scale: float) -> float:
    """Word for word as the docstrings have it, one pair after the other."""
    terms = []
    for a in range(3):
        for b in range(3):
            for i in range(len(KIN)):
                if a == b or not (HAS[i, a] and HAS[i, b]):
                    continue
                others = [j for j in range(len(KIN)) if HAS[j, b] and KIN[j] != KIN[i]]
                logit = {j: scale * float(vectors[i, a] @ vectors[j, b]) for j in [i, *others]}
                terms.append(math.log(sum(map(math.exp, logit.values()))) - logit[i])
    if loss == "infonce":
        return sum(terms) / len(terms)
    total = 0.0
    for a in range(3):
        for b in range(3):
            for i in range(len(KIN)):
                for j in range(len(KIN)):
                    shown = a != b and HAS[i, a] and HAS[j, b]
                    if shown and (i == j or KIN[i] != KIN[j]):
                        logit = scale * float(vectors[i, a] @ vectors[j, b]) + FIRST_BIAS
                        total += math.log1p(math.exp(-logit if i == j else logit))
    return total / len(terms)


@pytest.mark.parametrize("loss", ["infonce", "sigmoid"])
def test_a_loss_is_what_its_paper_says_of_all_but_kin(loss):
    drawn = vectors()
    measured = space(loss=loss, temperature=0.2).loss(drawn, HAS, KIN)
    expected = by_hand(drawn.double().numpy(), loss, 5.0)
    assert measured.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("loss", ["infonce", "sigmoid"])
def test_no_sample_is_pushed_away_from_its_kin(loss):
    drawn = vectors().requires_grad_()
    shared = space(loss=loss)
    pair = shared.loss(drawn[:2], HAS[:2], torch.tensor([0, 1]))
    kin = shared.loss(drawn[:2], HAS[:2], torch.tensor([0, 0]))
    assert kin < pair
    alone = shared.loss(drawn[:1], HAS[:1], KIN[:1])
    once = shared.loss(drawn[1:2], HAS[1:2], KIN[1:2])
    assert torch.allclose(kin, (6 * alone + 2 * once) / 8)  # as if each stood in a batch by itself


def test_nothing_is_learned_where_nothing_has_a_partner():
    drawn = vectors().requires_grad_()
    has = torch.eye(3, dtype=torch.bool).repeat(2, 1)
    loss = space().loss(drawn, has, KIN)
    loss.backward()
    assert loss == 0
    assert not drawn.grad.any()


def test_a_modality_has_one_vector_of_its_sets_that_are_there():
    shared = space()
    tokens = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(2))
    present = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 1], [0, 1, 1, 1]], dtype=torch.bool)
    seen, has = shared(tokens, present)
    assert has.tolist() == [[True, True, True], [True, False, True], [False, True, True]]
    assert torch.allclose(seen.norm(dim=2), has.float())
    broken = tokens.where(present[..., None], torch.nan)
    assert torch.equal(shared(broken, present)[0], seen)
    third, fourth = shared.heads(tokens)[2, 2:]
    assert torch.allclose(seen[2, 2], normalize((third + fourth) / 2, dim=0))


def test_the_temperature_is_learned_within_bounds():
    shared = space(temperature=0.05)
    assert shared.scale.item() == pytest.approx(20)
    shared.loss(vectors(), HAS, KIN).backward()
    assert shared.log_scale.grad != 0
    with torch.no_grad():
        shared.log_scale.fill_(9.0)
    assert shared.scale.item() == pytest.approx(math.exp(LARGEST_SCALE))


def test_a_set_is_told_from_the_other_modalities_alone():
    shared = space(reconstruction=1.0)
    drawn = vectors().requires_grad_()
    values = [torch.randn(len(KIN), max(count, 1)) for count in (3, 2, 0, 6)]
    shared.bands = [3, 0, 0, 0]  # of the picture's set alone
    loss = shared.reconstruction(drawn, HAS, values)
    loss.backward()
    assert loss > 0
    assert not drawn.grad[:, 0].any()
    assert drawn.grad[:4, 1:].any()
    assert not drawn.grad[4:].any()  # those have no picture to be told
