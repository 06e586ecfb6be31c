"""What every registered tower must do, whatever it is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.core import registry
from pipeline.core.errors import PipelineError
from pipeline.encoders.transformer import Encoder, Options
from pipeline.models.examples import FeatureSpec
from pipeline.models.network import Network
from pipeline.models.positions import positions
from pipeline.models.relocation import located_as
from pipeline.models.tower import Tower
from pipeline.models.tower_options import of_kind, tower_of
from pipeline.models.towers import FOLDER
from pipeline.models.towers.bert import last_layers
from pipeline.models.training.determinism import deterministic
from tests.encoders import tiny_models
from tests.models.shapes import hold
from tests.models.synthetic import joined, options, split_of

WIDTH = 6
FRAMES = 9
SHAPES = {"vector": (WIDTH,), "frames": (FRAMES, WIDTH), "ids": (FRAMES, 1)}
SMALL = {"transformer": {"hidden": 16}, "cnn": {"channels": 2, "filters": 4, "hidden": 8}}
SMALL["bert"] = {"heads": 2, "expansion": 2}
SMALL |= {name: {"hidden": 8} for name in ("attention", "mlp", "convolution", "gru", "lstm")}
READERS = ("linear", "attention", "cnn", "convolution", "gru", "lstm", "transformer")


def of(kind: str, **changed):
    given = {"width": WIDTH, **SMALL.get(kind, {}), **changed}
    if kind == "embedding":
        given |= {"words": 20, "numbers": 4}
    return of_kind({"kind": kind, **given})


def make(kind: str, shape: str, seed: int = 0, **changed) -> Tower | None:
    """A tower for rows of a shape, or None if they are not what it takes."""
    if (shape == "ids") != tower_of(kind).IDS:
        return None
    torch.manual_seed(seed)
    try:
        tower = Tower(SHAPES[shape], of(kind, **changed)).eval()
    except ValueError:
        return None
    hold(tower.kind)
    if tower.ids:
        tower.kind.fit(torch.arange(1, 9), torch.arange(2, 10))
    else:
        tower.standardise(torch.full(SHAPES[shape][-1:], 0.5), torch.full(SHAPES[shape][-1:], 2.0))
    return tower


def draw(shape: str, rows: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of which the second holds nothing, the third one frame and the first all of them."""
    random = torch.Generator().manual_seed(seed)
    values = torch.randn((rows, *SHAPES[shape]), generator=random)
    if shape == "ids":
        values = torch.randint(1, 12, values.shape, generator=random).float()
    longest = FRAMES if values.ndim == 3 else 1
    lengths = torch.randint(0, longest + 1, (rows,), generator=random)
    lengths[: min(rows, 3)] = torch.tensor([longest, 0, 1])[:rows]
    return values, lengths


CASES = [(kind, shape) for kind in registry.names(FOLDER) for shape in SHAPES if make(kind, shape)]


def test_every_kind_reads_something_and_everything_is_read_by_some():
    assert {kind for kind, _ in CASES} == set(registry.names(FOLDER))
    assert {shape for _, shape in CASES} == set(SHAPES)


@pytest.mark.parametrize(("kind", "shape"), CASES)
@settings(max_examples=10)
@given(seed=st.integers(0, 999), filling=st.sampled_from([77.0, torch.nan, torch.inf, -3e38]))
def test_what_stands_in_padding_does_not_count(kind, shape, seed, filling):
    tower = make(kind, shape)
    values, lengths = draw(shape, seed=seed)
    if values.ndim == 2:
        return
    other = values.clone()
    other[torch.arange(FRAMES) >= lengths[:, None]] = filling
    with torch.no_grad():
        tokens = tower(values, lengths)
        assert tokens.shape == (5, WIDTH)
        assert tokens.isfinite().all()
        assert torch.equal(tower(other, lengths), tokens)


def check_that_padding_does_not_show(tower: Tower, values, lengths) -> None:
    """A row gives what it gives without any padding after it."""
    with torch.no_grad():
        tokens = tower(values, lengths)
        for i, length in enumerate(lengths.tolist()):
            if length:
                alone = tower(values[i : i + 1, :length], lengths[i : i + 1])
                torch.testing.assert_close(alone[0], tokens[i])


@pytest.mark.parametrize(("kind", "shape"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_how_much_padding_there_is_does_not_count(kind, shape, seed):
    tower = make(kind, shape)
    values, lengths = draw(shape, seed=seed)
    if values.ndim == 3:
        check_that_padding_does_not_show(tower, values, lengths)


@pytest.mark.parametrize(("kind", "shape"), CASES)
def test_what_is_there_counts_to_the_last_frame(kind, shape):
    tower = make(kind, shape)
    values, lengths = draw(shape)
    other = values.clone()
    other.view(5, -1, SHAPES[shape][-1])[0, -1, 0] = 4 if values[0].flatten()[-1] != 4 else 5
    with torch.no_grad():
        assert not torch.allclose(tower(other, lengths)[0], tower(values, lengths)[0])


@pytest.mark.parametrize(("kind", "shape"), CASES)
@pytest.mark.parametrize("value", [0.0, 1e30, -3.4e38, torch.inf, -torch.inf])
def test_the_token_is_finite_for_any_number(kind, shape, value):
    tower = make(kind, shape)
    _, lengths = draw(shape)
    with torch.no_grad():
        assert tower(torch.full((5, *SHAPES[shape]), value), lengths).isfinite().all()


@pytest.mark.filterwarnings("ignore:TF32 acceleration")
@pytest.mark.parametrize(("kind", "shape"), CASES)
def test_half_precision_says_nearly_the_same(kind, shape):
    """Under autocast to float16, whose numbers end at 65504."""
    tower = make(kind, shape)
    values, lengths = draw(shape)
    wanted = tower(values, lengths)
    # Of LSTMs oneDNN has no half on most processors.
    with torch.autocast("cpu", dtype=torch.float16), torch.backends.mkldnn.flags(enabled=False):
        token = tower(values, lengths)
    torch.testing.assert_close(token.float(), wanted, rtol=0.02, atol=0.02)
    if token.requires_grad:
        token.float().square().sum().backward()
        result = [p.grad for p in tower.parameters() if p.grad is not None]
        assert all(gradient.isfinite().all() for gradient in result)


@pytest.mark.parametrize(("kind", "shape"), CASES)
def test_no_gradient_comes_from_padding_and_rows_are_independent(kind, shape):
    tower = make(kind, shape)
    values, lengths = draw(shape)
    if shape != "ids":
        values.requires_grad_()
        tokens = tower(values, lengths)
        (tokens * torch.randn(tokens.shape)).sum().backward()
        assert values.grad is not None
        assert values.grad.isfinite().all()
        if values.ndim == 3:
            within = torch.arange(FRAMES) < lengths[:, None]
            assert torch.equal(values.grad.any(2), within)
        else:
            assert values.grad.any(1).all()
    with torch.no_grad():
        whole = tower(values, lengths)
        order = torch.tensor([3, 0, 4, 1, 2])
        torch.testing.assert_close(tower(values[order], lengths[order]), whole[order])
        alone = [tower(values[i : i + 1], lengths[i : i + 1]) for i in range(5)]
        torch.testing.assert_close(torch.cat(alone), whole)


@pytest.mark.parametrize(("kind", "shape"), CASES)
def test_all_that_a_tower_knows_is_in_its_state(kind, shape):
    tower, other = make(kind, shape), make(kind, shape, seed=1)
    if other.ids:
        other.kind.fit(torch.tensor([3]), torch.tensor([2]))
    other.load_state_dict(tower.state_dict())
    values, lengths = draw(shape)
    with torch.no_grad():
        assert torch.equal(other(values, lengths), tower(values, lengths))


@pytest.mark.parametrize(("kind", "shape"), CASES)
def test_a_tiny_batch_is_learned_by_heart_and_the_same_seed_gives_the_same(kind, shape):
    def trained() -> tuple[float, torch.Tensor]:
        with deterministic(0, "test"):
            tower = make(kind, shape).train()
            head = torch.nn.Linear(WIDTH, 2)
            learned = [*tower.parameters(), *head.parameters()]
            optimizer = torch.optim.Adam(learned, 0.02)
            values, _ = draw(shape, 6, seed=1)
            lengths = torch.full((6,), FRAMES if values.ndim == 3 else 1)
            for _ in range(120):
                optimizer.zero_grad()
                classes = torch.tensor([0, 1, 1, 0, 1, 0])
                loss = torch.nn.functional.cross_entropy(head(tower(values, lengths)), classes)
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                right = (head(tower.eval()(values, lengths)).argmax(1) == classes).float().mean()
            return right.item(), torch.cat([one.detach().flatten() for one in learned])

    (right, first), (_, second) = trained(), trained()
    assert right == 1
    assert torch.equal(first, second)


# Tracing puts a recurrent unit's own list of weights aside and back again.
@pytest.mark.filterwarnings("ignore:The tensor attributes self.*_flat_weights")
@pytest.mark.parametrize(("kind", "shape"), CASES)
def test_a_network_is_exported(kind, shape):
    sets = [FeatureSpec("a", "audio", SHAPES[shape])]
    one = {"kind": kind, **of(kind).model_dump(mode="json")}
    network = Network(sets, {"category": 3}, options(features=["a"], fusion="none", tower=one))
    rows = torch.export.Dim("rows", min=1, max=4096)

    def batch(n: int):
        values, lengths = draw(shape, n, seed=n)
        return {"a": values}, {"a": lengths}, torch.ones(n, 1, dtype=torch.bool)

    shapes = ({"a": {0: rows}}, {"a": {0: rows}}, {0: rows})
    exported = torch.export.export(network.eval(), batch(5), dynamic_shapes=shapes)
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(*batch(7)), network(*batch(7)))


@pytest.mark.parametrize("reader", READERS)
def test_words_are_read_by_any_reader_of_frames(reader):
    chosen = of_kind(
        {
            "kind": "embedding",
            "width": WIDTH,
            "words": 9,
            "numbers": 4,
            "reader": {"kind": reader, **SMALL.get(reader, {})},
        }
    )
    assert chosen.kinds == ("embedding", reader)
    tower = Tower(SHAPES["ids"], chosen).eval()
    tower.kind.fit(torch.tensor([3, 5]), torch.tensor([2, 4]))
    rows = torch.tensor([[3, 5, 4], [3, 5, 8], [3, 3, 8]]).float()
    values = torch.zeros(3, FRAMES, 1)
    values[:, :3, 0] = rows
    with torch.no_grad():
        tokens = tower(values, torch.full((3,), 3))
    assert torch.equal(tokens[0], tokens[1])  # neither 4 nor 8 is known
    assert not torch.allclose(tokens[1], tokens[2])
    check_that_padding_does_not_show(tower, *draw("ids"))


def test_the_vocabulary_is_the_commonest_ids_in_order_of_frequency_then_id():
    tower = Tower(SHAPES["ids"], of_kind({"kind": "embedding", "words": 3, "at_least": 2}))
    tower.kind.fit(torch.tensor([2, 4, 6, 8, 9]), torch.tensor([3, 7, 3, 3, 1]))
    assert tower.state_dict()["kind.words"].tolist() == [2, 4, 6]
    tower.kind.fit(torch.tensor([2, 2**24 - 1]), torch.tensor([1, 5]))
    assert tower.state_dict()["kind.words"].tolist() == [2**24 - 1, 2**24, 2**24]


def test_a_picture_is_standardised_by_channel_and_a_spectrum_by_band():
    mean, deviation = torch.tensor([0.0, 1.0, 4.0, 1.0]), torch.tensor([1.0, 2.0, 1.0, 2.0])
    picture = Tower((5, 4), of_kind({"kind": "cnn", "channels": 2}))
    picture.standardise(mean, deviation)
    assert picture.mean.tolist() == [2, 1, 2, 1]
    torch.testing.assert_close(picture.scale, torch.tensor([1 / 5**0.5, 0.5] * 2))
    spectrum = Tower((5, 4), of_kind({"kind": "cnn"}))
    spectrum.standardise(mean, deviation)
    assert torch.equal(spectrum.mean, mean)


def test_positions_are_those_of_the_paper():
    result = positions(3, 4)
    expected = [[0, 1, 0, 1]] + [
        [f(p / r) for r in (1, 100) for f in (torch.sin, torch.cos)] for p in torch.arange(1, 3)
    ]
    torch.testing.assert_close(result, torch.tensor(expected))


@pytest.mark.parametrize(
    ("kind", "shape", "said"),
    [
        ("cnn", (4,), r"takes sequences of frames, and .* \(4,\); what fits: linear, mlp"),
        ("gru", (4,), "takes sequences of frames"),
        (
            "mlp",
            (9, 4),
            "takes vectors, .* what fits: attention, cnn, convolution, gru, linear, lstm, trans",
        ),
        ("identity", (4,), "takes 128 dimensions, the width of the tokens"),
        ("embedding", (9, 4), "takes ids of words, one per frame"),
    ],
)
def test_what_does_not_fit_is_named_with_what_does(kind, shape, said):
    sets = [FeatureSpec("a", "audio", shape)]
    one = options(features=["a"], fusion="none", tower={"kind": kind})
    with pytest.raises(PipelineError, match=f"towers.a: tower '{kind}' {said}"):
        Network(sets, {"category": 3}, one)


def test_columns_that_are_no_whole_pixels_are_refused():
    with pytest.raises(ValueError, match=r"a multiple of 3 \(channels\)"):
        Tower((9, 4), of_kind({"kind": "cnn", "channels": 3}))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tower": {"kind": "rnn"}}, "unknown tower 'rnn'; there are: attention, bert, cnn, conv"),
        ({"tower": {"kind": "gru", "heads": 2}}, "heads: Extra inputs"),
        ({"tower": {"hidden": 0}}, "hidden: Input should be greater"),
        ({"towers": {"sound": {"kind": "gru"}}}, "'sound' is not one of features"),
        ({"towers": {"words": {"kind": "gru", "width": 4}}}, "towers.words.width"),
        (
            {"towers": {"words": {"kind": "embedding", "reader": {"width": 3}}}},
            "reader.width: 3 is not width, 8",
        ),
        ({"fusion": "early", "towers": {"words": {"kind": "linear"}}}, "neither `towers` nor"),
        ({"fusion": "early", "absent": "learned"}, "neither `towers` nor"),
        ({"absent": "guessed"}, "absent"),
        ({"tower": 3, "towers": {"words": {}}}, "tower\n  Input should be a valid dict"),
        ({"towers": {"words": 3}}, "towers.words\n  Input should be a valid dict"),
        ({"towers": {"words": {"kind": "embedding", "reader": 3}}}, "reader: Input should be a v"),
        ({"towers": {"words": {"kind": "embedding", "reader": {"kind": "x"}}}}, "unknown tower"),
    ],
)
def test_mistakes_are_named(changed, said):
    with pytest.raises(ValidationError, match=said):
        options(**changed)


def test_options_with_towers_survive_json_and_name_their_kinds():
    towers = {"words": {"kind": "embedding", "reader": {"kind": "lstm"}}}
    first = options(towers=towers)
    assert type(first).model_validate(first.model_dump(mode="json")) == first
    assert first.kinds == ("embedding", "lstm", "mlp")
    assert first.towers["words"].width == 8
    assert options(fusion="early").kinds == ("identity", "mlp")


@pytest.mark.parametrize("name", registry.names(FOLDER))
def test_options_are_described(name):
    known = tower_of(name).Options
    assert all(field.description for field in known.model_fields.values())


def test_checking_towers_loads_nothing_heavy():
    code = (
        "import sys; from pipeline.models.tower_options import of_kind, check_shape\n"
        f"for kind in {registry.names(FOLDER)}:\n"
        "    for shape in ((128,), (9, 128), (9, 1)):\n"
        "        try: check_shape(shape, of_kind({'kind': kind}))\n"
        "        except ValueError: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_manual_lists_every_tower():
    text = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    table = text.split("## Towers")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)[1:] == registry.names(FOLDER)


def test_times_are_positions_and_gaps_are_as_wide_as_they_are() -> None:
    """A frame that is left out leaves the others where they were; their place alone would not."""
    timed = make("transformer", "frames", times=True)
    assert timed is not None
    values, _ = draw("frames", rows=1)
    values[..., -1] = torch.arange(FRAMES) / 2
    later = values.clone()
    later[..., -1] += 0.25
    full = torch.tensor([FRAMES])
    with torch.no_grad():
        token = timed(values, full)
        order = torch.randperm(FRAMES, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(timed(values[:, order], full), token)
        assert not torch.allclose(timed(later, full), token)
    untimed = make("transformer", "frames")
    assert untimed is not None
    with torch.no_grad():
        assert not torch.allclose(untimed(values[:, order], full), untimed(values, full))


def test_a_time_is_no_quantity_to_be_standardised() -> None:
    timed = make("transformer", "frames", times=True)
    assert timed is not None
    timed.standardise(torch.full((WIDTH,), 3.0), torch.full((WIDTH,), 2.0))
    assert (timed.mean[-1], timed.mean[0]) == (0, 3)
    assert torch.isclose(1 / timed.scale[-1], torch.tensor(1000.0))
    with pytest.raises(ValueError, match="two numbers or more"):
        Tower((FRAMES, 1), of("transformer", times=True))


def test_attention_tells_one_frame_among_many() -> None:
    """The frame that is like no other weighs more, once it is learnt that it should."""
    tower = make("attention", "frames", dropout=0.0)
    assert tower is not None
    torch.manual_seed(0)
    values, lengths = torch.randn(64, FRAMES, WIDTH) * 0.1, torch.full((64,), FRAMES)
    values[torch.arange(32), torch.randint(0, FRAMES, (32,)), 0] += 5
    told = torch.arange(64) < 32
    head = torch.nn.Linear(WIDTH, 1)
    optimiser = torch.optim.Adam([*tower.parameters(), *head.parameters()], lr=0.01)
    for _ in range(60):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            head(tower(values, lengths))[:, 0], told.float()
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert torch.equal(head(tower(values, lengths))[:, 0] > 0, told)


def bert(**changed):
    """The options of one that begins as a network of two layers does in its last."""
    return of_kind(
        {"kind": "bert", "width": 16, "model": str(tiny_models.folder("bert")), **changed}
    )


OTHER = {"num_attention_heads": 4, "layer_norm_eps": 0.1, "hidden_act": "relu"}


@pytest.mark.parametrize("config", [{}, OTHER])
def test_what_begins_as_a_bert_says_what_it_says(config, tmp_path: Path) -> None:
    """Its last layer over the states below, as the library computes them."""
    texts = ["a big grey wolf", "moon", "the wolf howls at the moon"]
    folder = tiny_models.altered(tmp_path / "bert", **config)
    network = {"model": str(folder), "max_tokens": 9, "normalise": False}
    below, lengths = Encoder(Options(layer=1, pooling="sequence", **network)).encode(texts)
    mean, _ = Encoder(Options(pooling="mean", **network)).encode(texts)
    tower = Tower(below.shape[1:], bert(model=str(folder))).eval()
    tower.standardise(torch.full((16,), 3.0), torch.full((16,), 2.0))
    tower.kind.load_pretrained()
    tower.kind.leave = torch.nn.Identity()
    with torch.no_grad():
        said = tower(torch.from_numpy(below), torch.from_numpy(lengths))
    torch.testing.assert_close(said, torch.from_numpy(mean), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sha256": "0" * 64}, "it is another model, or a damaged one"),
        ({"layers": 3}, "no last 3 layers of BERT's form"),
        ({"model": "package:nowhere/model", "heads": 2}, "no package nowhere is installed"),
    ],
)
def test_another_network_is_not_begun_as(changed, message) -> None:
    with pytest.raises(PipelineError, match=message):
        Tower((9, 16), bert(**changed)).kind.load_pretrained()


def test_a_network_that_does_not_fit_is_named_with_its_set(tmp_path: Path) -> None:
    world = joined(subjects=12)
    states = np.zeros((len(world.sample_ids), 9, 32), np.float32)
    world = replace(world, values={**world.values, "words": states})
    with pytest.raises(PipelineError, match=r"tower of 'words': .* has width 16 .*, the feature s"):
        Tower((9, 32), bert()).fit(split_of(world, "train"), "words")
    unlike = tiny_models.altered(tmp_path / "unlike", num_hidden_layers=None)
    with pytest.raises(PipelineError, match="states no num_hidden_layers"):
        Tower((9, 16), bert(model=str(unlike))).kind.load_pretrained()


def test_a_network_reads_no_learned_vectors() -> None:
    """Nothing would give it its weights there, nor states of its own scale."""
    reader = of_kind({"kind": "embedding", "reader": {"kind": "bert"}, "numbers": 12})
    with pytest.raises(ValueError, match="takes a reader that learns from nothing, not 'bert'"):
        Tower((9, 1), reader)


def test_what_is_saved_needs_no_network(tmp_path: Path) -> None:
    folder = tiny_models.altered(tmp_path / "bert", **OTHER)
    model = options(features=["words"], tower={"kind": "bert", "model": str(folder), "width": 8})
    saved = model.model_dump_json()
    shutil.rmtree(folder)
    assert type(model).model_validate_json(saved) == model
    assert (model.tower.heads, model.tower.layer_norm_eps) == (4, 0.1)
    Tower((9, 16), model.tower)


@pytest.mark.parametrize("section", ["tower", "towers"])
def test_a_network_that_moved_is_looked_for_where_params_say(section, tmp_path: Path) -> None:
    """What is trained anew from a saved model, as a student is, begins as the same network."""

    def model(folder: Path):
        tower = {"kind": "bert", "model": str(folder), "width": 8}
        return options(
            features=["words"], **{section: tower if section == "tower" else {"words": tower}}
        )

    before, after = (tiny_models.altered(tmp_path / name, **OTHER) for name in ("before", "after"))
    saved = type(model(before)).model_validate_json(model(before).model_dump_json())
    shutil.rmtree(before)
    with pytest.raises(PipelineError, match=f"model '{before}' is no folder here"):
        saved.weights  # noqa: B018
    moved = located_as(saved, model(after))
    assert moved == model(after)
    assert moved.weights.keys() == {"words/config.json", "words/model.safetensors"}
    assert located_as(saved, options(features=["words"])) == saved


def test_training_begins_as_it_says() -> None:
    world = joined(subjects=12)
    states = np.random.default_rng(0).normal(size=(len(world.sample_ids), 9, 16))
    world = replace(world, values={**world.values, "words": states.astype(np.float32)})
    tower = Tower((9, 16), bert())
    assert not torch.equal(
        tower.kind.layers[0].linear1.weight, last_layers(bert())[0]["linear1.weight"]
    )
    tower.fit(split_of(world, "train"), "words")
    torch.testing.assert_close(dict(tower.kind.layers[0].state_dict()), last_layers(bert())[0])
