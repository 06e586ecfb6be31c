"""What every registered fusion must do, whatever it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.core import registry
from pipeline.models.examples import FeatureSpec
from pipeline.models.fusion import fusion_of, weighted_sum
from pipeline.models.network import Network
from pipeline.models.sequences import TokenSequence
from pipeline.models.tower_options import of_kind
from tests.models.shapes import hold
from tests.models.synthetic import SETS, WIDTHS, options

WIDTH = 8
EVERY = registry.names("models/fusion")
# Those that join tokens; those that join decisions have test_decisions.py.
NAMES = [name for name in EVERY if fusion_of(name).LEVEL != "decisions"]


def make(name: str, sets: int, seed: int = 0, **changed):
    module = fusion_of(name)
    chosen = module.Options(**changed)
    if name == "early":
        torch.manual_seed(seed)
        return Early(sets, WIDTH, chosen)
    try:
        module.check(sets, WIDTH, chosen)
    except ValueError:
        return None
    torch.manual_seed(seed)
    if module.LEVEL == "sequences":
        return OneToken(hold(module.build([1] * sets, WIDTH, chosen)).eval())
    return hold(module.build(sets, WIDTH, chosen)).eval()


class OneToken(torch.nn.Module):
    """As other fusions are called, with sequences of one token."""

    def __init__(self, fusion: torch.nn.Module) -> None:
        super().__init__()
        self.fusion, self.width = fusion, fusion.width

    def forward(self, tokens: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        alone = torch.ones(tokens.shape[:2], dtype=torch.bool)[..., None]
        times = torch.zeros(alone.shape)
        whole = range(tokens.shape[1])
        sequences = [TokenSequence(tokens[:, i : i + 1], alone[:, i], times[:, i]) for i in whole]
        return self.fusion(sequences, present)


class Early(torch.nn.Module):
    """As other fusions are made and called, with sets of one width."""

    def __init__(self, sets: int, width: int, chosen) -> None:
        super().__init__()
        tower = of_kind({"kind": "mlp", "hidden": 16, "width": width})
        self.fusion = hold(fusion_of("early").build([width] * sets, tower, chosen)).eval()
        self.width = self.fusion.width

    def forward(self, tokens: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        return self.fusion(tokens.unbind(1), present)


def some(name: str):
    """The fusion of three sets, or of the one that it takes."""
    for sets in (3, 1):
        fusion = make(name, sets)
        if fusion is not None:
            return fusion, sets
    raise AssertionError(f"{name} takes neither three sets nor one")


def masks(sets: int) -> torch.Tensor:
    """Every subset of the sets, one a row."""
    return torch.arange(2**sets)[:, None] >> torch.arange(sets) & 1 == 1


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


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
        fused = fusion(tokens, present)
        changed = fusion(tokens.where(present[..., None], others), present)
    assert fused.shape == (len(present), fusion.width)
    assert fused.isfinite().all()
    assert torch.equal(fused, changed)


@pytest.mark.parametrize("name", NAMES)
def test_not_even_a_nan_counts_where_it_is_absent(name):
    fusion, sets = some(name)
    present = masks(sets)
    tokens = draw(len(present), sets, WIDTH)
    with torch.no_grad():
        fused = fusion(tokens, present)
        nans = tokens.where(present[..., None], torch.nan)
        assert torch.equal(fusion(nans, present), fused)
        if hasattr(fusion, "set_weights"):
            assert torch.equal(
                fusion.set_weights(nans, present), fusion.set_weights(tokens, present)
            )


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_says_nearly_the_same(name):
    """Under autocast to float16, whose numbers end at 65504, for any subset of the sets."""
    fusion, sets = some(name)
    present = masks(sets)
    tokens = draw(len(present), sets, WIDTH)
    wanted = fusion(tokens, present)
    with torch.autocast("cpu", dtype=torch.float16):
        # A matrix's product is half, as a tower's is.
        fused = fusion(tokens @ torch.eye(WIDTH), present)
    torch.testing.assert_close(fused.float(), wanted, rtol=0.02, atol=0.02)
    if fused.requires_grad:
        fused.float().square().sum().backward()
        assert all(p.grad.isfinite().all() for p in fusion.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_present_tokens_count(name):
    for sets in (1, 3):
        fusion = make(name, sets)
        if fusion is None:
            continue
        tokens = torch.randn(1, sets, WIDTH, generator=torch.Generator().manual_seed(1))
        present = torch.ones(1, sets, dtype=torch.bool)
        with torch.no_grad():
            before = fusion(tokens, present)
            for i in range(sets):
                other = tokens.clone()
                other[:, i] += torch.linspace(-1, 2, WIDTH)
                assert not torch.allclose(fusion(other, present), before)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_what_is_present_alone_and_rows_are_independent(name):
    for sets in (1, 3):
        fusion = make(name, sets)
        if fusion is None:
            continue
        present = masks(sets)
        tokens = draw(len(present), sets, WIDTH, seed=2).requires_grad_()
        # Against random directions, since a layer norm's numbers have a fixed sum of squares.
        fused = fusion(tokens, present)
        (fused * draw(*fused.shape, seed=3)).sum().backward()
        assert tokens.grad is not None
        assert tokens.grad.isfinite().all()
        assert torch.equal(tokens.grad.any(2), present)
        with torch.no_grad():
            whole = fusion(tokens, present)
            alone = torch.cat(
                [fusion(tokens[i : i + 1], present[i : i + 1]) for i in range(len(present))]
            )
        torch.testing.assert_close(whole, alone)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_a_batch_does_not_matter(name):
    fusion, sets = some(name)
    present = masks(sets)
    tokens = draw(len(present), sets, WIDTH)
    order = torch.randperm(len(present), generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        fused = fusion(tokens, present)
        shuffled = fusion(tokens[order], present[order])
    torch.testing.assert_close(shuffled, fused[order])


@pytest.mark.parametrize("name", NAMES)
def test_all_that_a_fusion_learns_is_in_its_layers(name):
    fusion, sets = some(name)
    for parameter in fusion.parameters():
        torch.nn.init.normal_(parameter)
    other = make(name, sets, seed=1)
    other.load_state_dict(fusion.state_dict())
    present = masks(sets)
    tokens = draw(len(present), sets, WIDTH)
    with torch.no_grad():
        assert torch.equal(other(tokens, present), fusion(tokens, present))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_trains_to_the_same_numbers(name):
    def trained() -> torch.Tensor:
        fusion, sets = some(name)
        fusion.train()
        head = torch.nn.Linear(fusion.width, 1)
        learned = [*fusion.parameters(), *head.parameters()]
        optimizer = torch.optim.SGD(learned, 0.1)
        tokens, present = draw(2**sets, sets, WIDTH), masks(sets)
        for _ in range(3):
            optimizer.zero_grad()
            head(fusion(tokens, present)).square().mean().backward()
            optimizer.step()
        return torch.cat([parameter.detach().flatten() for parameter in learned])

    assert torch.equal(trained(), trained())


@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_batch_is_learned_by_heart(name):
    fusion, sets = some(name)
    tokens, present = draw(8, sets, WIDTH, seed=5), masks(sets)[1:].repeat(8, 1)[:8]
    classes = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1])
    head = torch.nn.Linear(fusion.width, 2)
    optimizer = torch.optim.Adam([*fusion.parameters(), *head.parameters()], 0.03)
    for _ in range(150):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(head(fusion(tokens, present)), classes)
        loss.backward()
        optimizer.step()
    assert loss < 0.1


@pytest.mark.parametrize("name", EVERY)
def test_a_network_is_exported(name):
    """A fusion is no module by itself; a network that holds it is, and is exported whole."""
    names = ["words"] if name == "none" else list(SETS)
    sets = [FeatureSpec(one, SETS[one], (WIDTHS[one],)) for one in names]
    torch.manual_seed(0)
    network = Network(sets, {"category": 8}, options(features=names, fusion=name)).eval()

    def batch(rows: int):
        values = {one: draw(rows, WIDTHS[one], seed=rows) for one in names}
        lengths = {one: torch.ones(rows, dtype=torch.int32) for one in names}
        return values, lengths, masks(3)[:rows, : len(names)]

    rows = torch.export.Dim("rows", min=1, max=4096)
    each = {one: {0: rows} for one in names}
    exported = torch.export.export(network, batch(5), dynamic_shapes=(each, each, {0: rows}))
    again = batch(7)
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(*again), network(*again))


@pytest.mark.parametrize("name", EVERY)
def test_options_are_described_and_unknown_ones_refused(name):
    known = registry.load("models/fusion", name).Options
    assert all(field.description for field in known.model_fields.values())
    assert known.model_validate_json(known().model_dump_json()) == known()
    with pytest.raises(ValidationError, match="glue"):
        known(glue=1)


@pytest.mark.parametrize(
    ("fusion", "chosen", "said"),
    [
        ("weighted_sum", {"weights": [1, 2]}, "2 weights for 3 feature sets"),
        ("weighted_sum", {"weights": [1, 2, 0]}, "weights.2: Input should be greater"),
        ("weighted_sum", {"weights": [1, 2, float("inf")]}, "weights.2: Input should be"),
        ("tensor", {"part": 64}, r"\(64 \+ 1\)\^3 = 274625 numbers .* more than 65536"),
        ("crossmodal", {"heads": 3}, "width 8 is not divisible by the 3 heads"),
        ("bottleneck", {"heads": 3}, "width 8 is not divisible by the 3 heads"),
        ("bottleneck", {"layers": 1}, "fusion_options.layers: Input should be greater"),
        ("hadamard", {"hidden": 0}, "fusion_options.hidden"),
        ("bilinear", {"rank": 0}, "fusion_options.rank"),
        ("sum", {"weights": [1, 1, 1]}, "fusion_options.weights: Extra inputs"),
    ],
)
def test_mistakes_are_named(fusion, chosen, said):
    with pytest.raises(ValidationError, match=said):
        options(fusion=fusion, fusion_options=chosen)


@pytest.mark.parametrize("fusion", ["bilinear", "crossmodal"])
def test_a_pair_needs_two(fusion):
    with pytest.raises(ValidationError, match="takes two feature sets or more"):
        options(fusion=fusion, features=["words"])


def test_checking_options_loads_nothing_heavy():
    code = (
        "import sys; from pipeline.core import registry\n"
        f"for name in {EVERY}:\n"
        "    module = registry.load('models/fusion', name)\n"
        "    module.check(1 if name == 'none' else 2, 8, module.Options())\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


def test_the_manual_lists_every_fusion_with_its_parameters():
    text = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    table = text.split("## Fusions")[1].split("\n## ")[0]
    listed = dict(re.findall(r"^\| `(\w+)` \|.*\| ([\d,]+) \|[^|]*\|$", table, re.MULTILINE))
    counted = {}
    for name in EVERY:
        if name == "early":  # the model's tower is all that it has
            counted[name] = "0"
            continue
        module = fusion_of(name)
        width = 128 if name in NAMES else [8]
        sets = 1 if name == "none" else 3
        fusion = module.build(
            [1] * sets if module.LEVEL == "sequences" else sets, width, module.Options()
        )
        counted[name] = f"{sum(parameter.numel() for parameter in fusion.parameters()):,}"
    assert listed == counted


@pytest.mark.parametrize("name", ["attention", "gated", "gmu", "weighted_sum"])
def test_shares_sum_to_one_over_what_is_present(name):
    fusion, present = make(name, 3), masks(3)
    with torch.no_grad():
        gates = fusion.set_weights(draw(8, 3, WIDTH), present)
    assert not gates[~present].any()
    torch.testing.assert_close(gates.sum(1), present.any(1).float())


def test_a_gated_multimodal_unit_is_that_of_the_paper():
    """Of one row and set by set, with the layers' weights as the paper's matrices."""
    fusion = make("gmu", 3, hidden=5)
    tokens = draw(1, 3, WIDTH)
    gates = fusion.gate.weight.view(3, 5, 3 * WIDTH)
    for shown in masks(3):
        x = [tokens[0, i] * shown[i] for i in range(3)]
        h = sum(
            torch.sigmoid(gates[i] @ torch.cat(x)) * torch.tanh(fusion.own[i].weight @ x[i])
            for i in range(3)
        )
        torch.testing.assert_close(fusion(tokens, shown[None])[0], h)


def test_fixed_weights_stay_and_are_shared_out_over_what_is_present():
    fusion = weighted_sum.build(3, WIDTH, weighted_sum.Options(weights=(1, 2, 3)))
    assert not any(parameter.requires_grad for parameter in fusion.parameters())
    present = masks(3)
    weights = fusion.weights(present)
    torch.testing.assert_close(weights[7], torch.tensor([1 / 6, 2 / 6, 3 / 6]))
    torch.testing.assert_close(weights[5], torch.tensor([1 / 4, 0, 3 / 4]))
    torch.testing.assert_close(weights.sum(1), present.any(1).float())


def test_learned_weights_are_at_first_those_of_late_averaging():
    tokens, present = draw(8, 3, WIDTH), masks(3)
    weighted, late = make("weighted_sum", 3), make("late", 3)
    torch.testing.assert_close(weighted(tokens, present), late(tokens, present))


OF_PLACES = {"none", "concatenation", "crossmodal", "early"}


@pytest.mark.parametrize("name", sorted(set(NAMES) - OF_PLACES))
def test_an_absent_set_is_as_if_it_had_never_been(name):
    """What remains gives what the same weights give in a fusion without the absent set.

    Not so where each set has its place in one layer that joins them.
    """
    whole, less = make(name, 3), make(name, 2)
    assert whole is not None
    assert less is not None
    weights, own = whole.state_dict(), less.state_dict()
    if name == "tensor":  # the last number of the absent set is its 1: every ninth column
        weights["mix.1.weight"] = weights["mix.1.weight"][:, 8::9]
    for key, old in own.items():
        own[key] = weights[key][tuple(slice(n) for n in old.shape)]
    less.load_state_dict(own)
    tokens = draw(4, 3, WIDTH)
    present = torch.tensor([[True, True, False]]).expand(4, 3)
    with torch.no_grad():
        torch.testing.assert_close(whole(tokens, present), less(tokens[:, :2], present[:, :2]))


@pytest.mark.parametrize("absent", [0, 1])
def test_nothing_is_taken_from_an_absent_set(absent):
    fusion = make("crossmodal", 2)
    tokens = draw(4, 2, WIDTH)
    present = (torch.arange(2) != absent).expand(4, 2)
    with torch.no_grad():
        before = fusion(tokens, present)
        for stream in fusion.fusion.streams:
            stream[0]["source"].bias += 1  # what a source would say, whatever its token
        assert torch.equal(fusion(tokens, present), before)
        assert not torch.equal(fusion(tokens, torch.ones_like(present)), before)
