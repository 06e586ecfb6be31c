"""What every registered fusion must do, whatever it is."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import registry
from pipeline.models.fusion.gated import Fusion as Gated
from pipeline.models.fusion.gated import Options as GatedOptions

WIDTH = 8
NAMES = registry.names("models/fusion")


def make(name: str, sets: int):
    module = registry.load("models/fusion", name)
    options = module.Options()
    if hasattr(module, "check"):
        try:
            module.check(sets, WIDTH, options)
        except ValueError:
            return None
    torch.manual_seed(0)
    fusion = module.Fusion(sets, WIDTH, options)
    fusion.layers.eval()
    return fusion


def masks(sets: int) -> torch.Tensor:
    """Every subset of the sets, one a row."""
    return torch.arange(2**sets)[:, None] >> torch.arange(sets) & 1 == 1


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15)
@given(sets=st.integers(1, 4), seed=st.integers(0, 999), scale=st.sampled_from([0.0, 1.0, 1e3]))
def test_absent_tokens_do_not_count_and_any_subset_is_finite(name, sets, seed, scale):
    fusion = make(name, sets)
    if fusion is None:
        return
    present = masks(sets)
    random = torch.Generator().manual_seed(seed)
    tokens = torch.randn(len(present), sets, WIDTH, generator=random) * scale
    others = torch.randn(tokens.shape, generator=random) * 100
    with torch.no_grad():
        fused = fusion.fuse(tokens, present)
        changed = fusion.fuse(tokens.where(present[..., None], others), present)
    assert fused.shape == (len(present), fusion.width)
    assert fused.isfinite().all()
    assert torch.equal(fused, changed)


@pytest.mark.parametrize("name", NAMES)
def test_present_tokens_count(name):
    for sets in (1, 3):
        fusion = make(name, sets)
        if fusion is None:
            continue
        tokens = torch.randn(1, sets, WIDTH, generator=torch.Generator().manual_seed(1))
        present = torch.ones(1, sets, dtype=torch.bool)
        with torch.no_grad():
            before = fusion.fuse(tokens, present)
            for i in range(sets):
                other = tokens.clone()
                other[:, i] += torch.linspace(-1, 2, WIDTH)
                assert not torch.allclose(fusion.fuse(other, present), before)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_and_rows_are_independent(name):
    for sets in (1, 3):
        fusion = make(name, sets)
        if fusion is None:
            continue
        present = masks(sets)
        random = torch.Generator().manual_seed(2)
        tokens = torch.randn(len(present), sets, WIDTH, generator=random, requires_grad=True)
        fusion.fuse(tokens, present).square().sum().backward()
        assert tokens.grad is not None
        assert tokens.grad.isfinite().all()
        assert not tokens.grad[~present].any()
        with torch.no_grad():
            whole = fusion.fuse(tokens, present)
            alone = torch.cat(
                [fusion.fuse(tokens[i : i + 1], present[i : i + 1]) for i in range(len(present))]
            )
        torch.testing.assert_close(whole, alone)


def test_there_are_the_three_and_more():
    assert {"none", "concatenation", "gated", "attention"} <= set(NAMES)


def test_gates_sum_to_one_over_what_is_present():
    torch.manual_seed(0)
    fusion = Gated(3, WIDTH, GatedOptions())
    present = masks(3)
    gates = fusion.gates(torch.randn(8, 3, WIDTH), present)
    assert not gates[~present].any()
    torch.testing.assert_close(gates.sum(1), present.any(1).float())
