"""A text as a target: its sub-words, its decoder, how it answers, and what is measured of it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from pipeline.core.errors import PipelineError
from pipeline.encoders import utf8
from pipeline.models import text_metrics
from pipeline.models.evaluation.answers import known_answers
from pipeline.models.evaluation.evaluate import Split, evaluate
from pipeline.models.evaluation.figures import lead as ahead_of
from pipeline.models.evaluation.nearest import nearest_rows
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.evaluation.results import write_evaluation
from pipeline.models.examples import FeatureSpec, build_examples, classes_of
from pipeline.models.fusion import fusion_of
from pipeline.models.network import Network
from pipeline.models.prediction import predict
from pipeline.models.saving import TrainedModel, load_model, save_model
from pipeline.models.targets import has_target
from pipeline.models.task_options import task_options
from pipeline.models.tasks import text
from pipeline.models.tasks._decoder import Decoder
from pipeline.models.tasks._subwords import END, decode, encode, fit_vocabulary
from tests.models import world as worlds
from tests.models.world import SETS, chosen

SMALL = {"kind": "text", "vocabulary": 290, "hidden": 32, "layers": 1, "heads": 2, "longest": 12}
COLOURS = {"k0": "red", "k1": "blue", "k2": "green", "k3": "white"}
ODD = [
    "  a\tb\n",
    "\x00",
    "日本 🦆",
    "007",
    "NA",
    "naïve Ünïcode",
    "",
    "don't, won't",
    "LaTeX \x0e A",
    "ß İ ŉ ǅ",
]


def captioned(subjects: int = 60, tail: str = ""):
    """The world with a caption of what its samples are; some have none."""
    world = worlds.world(subjects)
    captions = np.array(
        [
            None if sort is None or size is None else f"a {size} {COLOURS[sort]} thing"
            for sort, size in zip(world.targets["sort"], world.targets["size"], strict=True)
        ],
        object,
    )
    test = np.flatnonzero(world.split == "test")
    captions[test] = [value and value + tail for value in captions[test]]
    return replace(world, targets={**world.targets, "caption": captions})


@pytest.fixture(scope="module")
def fitted():
    options = chosen({"caption": SMALL}, fusion="attention", epochs=20, batch_size=32)
    trained, parts, classes = worlds.fit(captioned(), options)
    sets = list(parts["train"].sets)
    return TrainedModel(trained.network, sets, options, classes, trained.priors, {}), trained, parts


def decoder(vocabulary: int = 6, **options) -> Decoder:
    """One whose weights are wide enough to have opinions."""
    torch.manual_seed(3)
    given = {"kind": "text", "hidden": 16, "heads": 2, "longest": 5, "dropout": 0.0, **options}
    made = Decoder(8, vocabulary, task_options(given)).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


def memory(rows: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = torch.randn(rows, 3, 8, generator=torch.Generator().manual_seed(1))
    absent = torch.zeros(rows, 3, dtype=torch.bool)
    absent[::2, 1] = True
    return tokens, absent


def likelihood(made: Decoder, ids: torch.Tensor) -> torch.Tensor:
    """log p of sub-words (n, places), -1 beyond the end, with nothing kept from place to place."""
    with torch.no_grad():
        return made(*memory(len(ids)), ids, teach=True)[..., 0].sum(1)


def test_any_text_is_read_back_as_it_was() -> None:
    vocabulary = fit_vocabulary(["the cat", "the dog", "the end"], 270)
    assert 257 < len(vocabulary) <= 270
    assert "Ġthe" in vocabulary
    assert [decode(ids, vocabulary) for ids in encode(ODD, vocabulary)] == ODD
    assert encode([""], vocabulary) == [[END]]


def test_a_vocabulary_does_not_depend_on_the_order_of_texts() -> None:
    texts = [f"word{i % 7} of {i % 5} kinds" for i in range(60)]
    assert fit_vocabulary(texts, 280) == fit_vocabulary(texts[::-1], 280)


def test_the_vocabulary_is_of_the_train_split_alone() -> None:
    tasks = {"caption": task_options(SMALL)}
    world, other = captioned(), captioned(tail=" zzzz zzzz")
    classes = classes_of(world, tasks)
    assert classes == classes_of(other, tasks)
    assert not [name for name in classes["caption"] if "zz" in name]
    examples = build_examples([other], SETS, classes, tasks)
    row = int(np.flatnonzero([v is not None and "zz" in v for v in other.targets["caption"]])[0])
    assert (
        text.say(examples.targets["caption"][row], classes["caption"])
        == (other.targets["caption"][row])
    )


def test_what_is_kept_of_earlier_places_changes_no_answer() -> None:
    made = decoder()
    with torch.no_grad():
        answers = made(*memory())
    ids = answers[:, 1:].long()
    np.testing.assert_allclose(answers[:, 0].log(), likelihood(made, ids), atol=1e-5)
    for row, place in itertools.product(range(4), range(5)):
        if (ids[row, :place] == END).any():
            continue
        tried = ids[:1].repeat(6, 1)
        tried[:] = -1
        tried[:, :place] = ids[row, :place]
        tried[:, place] = torch.arange(6)
        tokens, absent = memory()
        with torch.no_grad():
            said = made(tokens[row].expand(6, -1, -1), absent[row].expand(6, -1), tried, teach=True)
        assert said[:, place, 0].argmax() == ids[row, place]


def test_enough_beams_find_the_likeliest_answer_of_all() -> None:
    made = decoder(4, longest=3, decoding="beam", beams=64, length_penalty=0.0)
    every = [
        torch.tensor([*ids, *[-1] * (3 - len(ids))])
        for n in (1, 2, 3)
        for ids in itertools.product(range(4), repeat=n)
        if END not in ids[:-1] and (ids[-1] == END or n == 3)
    ]
    with torch.no_grad():
        answers = made(*memory())
        tokens, absent = memory()
        for row in range(4):
            said = made(
                tokens[row].expand(len(every), -1, -1),
                absent[row].expand(len(every), -1),
                torch.stack(every),
                teach=True,
            )[..., 0].sum(1)
            assert answers[row, 1:].tolist() == every[int(said.argmax())].tolist()
            assert answers[row, 0].log().item() == pytest.approx(said.max().item(), abs=1e-4)


def test_beams_are_never_less_likely_than_greed() -> None:
    greedy, beams = decoder(), decoder(decoding="beam", beams=8, length_penalty=0.0)
    with torch.no_grad():
        assert (beams(*memory(64))[:, 0] >= greedy(*memory(64))[:, 0] - 1e-6).all()


def test_draws_follow_the_seed_and_the_probabilities() -> None:
    def drawn(seed: int, **options) -> torch.Tensor:
        with torch.no_grad():
            return decoder(decoding="sample", seed=seed, **options)(*memory())

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))
    assert torch.equal(drawn(1, likeliest=1)[:, 1:], decoder()(*memory())[:, 1:])
    first = torch.stack([drawn(seed, longest=1)[:, 1] for seed in range(200)], 1)
    shares = torch.stack([(first == word).float().mean(1) for word in range(6)], 1)
    single = torch.arange(6)[:, None]
    made = decoder(longest=1)
    tokens, absent = memory()
    for row in range(3):
        with torch.no_grad():
            said = made(
                tokens[row].expand(6, -1, -1), absent[row].expand(6, -1), single, teach=True
            )
        np.testing.assert_allclose(shares[row], said[:, 0, 0].exp(), atol=0.1)


@pytest.mark.parametrize("decoding", ["greedy", "beam", "sample"])
def test_lengths_are_kept_to_and_a_row_does_not_see_its_neighbours(decoding) -> None:
    made = decoder(decoding=decoding, shortest=2, longest=4)
    tokens, absent = memory(32)
    with torch.no_grad():
        answers = made(tokens, absent)
        half = made(tokens[16:], absent[16:])
    assert answers.shape == (32, 5)
    length = (answers[:, 1:] > END).sum(1)
    assert ((length >= 2) & (length <= 4)).all()
    ended = answers[:, 1:] == END
    assert (ended.cumsum(1) - ended.int())[answers[:, 1:] >= 0].sum() == 0
    assert torch.equal(answers[16:, 1:], half[:, 1:])


def test_the_loss_is_the_smoothed_cross_entropy_of_each_sub_word() -> None:
    made = decoder(longest=4)
    targets = torch.tensor([[3, 2, 0, -1, -1, -1], [1, 1, 1, 1, 1, 0], [-1] * 6])
    tokens, absent = memory(3)
    terms = made(tokens, absent, targets, teach=True)
    assert terms.shape == (3, 4, 2)
    losses = text.loss(terms, targets, 0.1, 0.0)
    assert losses[2] == 0
    given = torch.tensor([[0, 3, 2], [0, 1, 1]])
    earlier = torch.ones(3, 3, dtype=torch.bool).tril()
    halves = made.encode_memory(tokens, absent).take(torch.arange(2))
    logits, _ = made.step(given, 0, None, earlier, halves)
    by_hand = functional.cross_entropy(logits[0], targets[0, :3], label_smoothing=0.1)
    assert losses[0].item() == pytest.approx(by_hand.item(), rel=1e-5)
    losses.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())


def test_nothing_of_an_absent_token_is_read() -> None:
    made = decoder()
    tokens, absent = memory()
    spoilt = tokens.masked_fill(absent[..., None], float("nan"))
    with torch.no_grad():
        assert torch.equal(made(tokens, absent), made(spoilt, absent))
        assert made(tokens, torch.ones_like(absent)).isfinite().all()


def read_and_copied(words: int) -> tuple[Decoder, list[str], np.ndarray]:
    """A decoder that reads, a vocabulary, and what it has to read: a colour among letters."""
    made = decoder(300, copies="said", hidden=32, longest=4)
    vocabulary = fit_vocabulary(["red", "blue"], 300)
    rng = np.random.default_rng(words)
    texts = [f"{'xyz'[i % 3]}, {''.join(rng.choice([*'abcd'], 2))}" for i in range(words)]
    ids, lengths = utf8.Encoder(utf8.Options(bytes=8)).encode(texts)
    assert lengths.tolist() == [5] * words
    return made, vocabulary, ids[..., 0]


def test_what_is_read_can_be_copied_though_it_was_never_said() -> None:
    made, vocabulary, written = read_and_copied(200)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    seen = torch.from_numpy(text.encode_source(written, vocabulary))
    truth = torch.tensor(encode([t[3:] for t in utf8.decode_ids(written)], vocabulary))
    tokens, absent = torch.zeros(200, 1, 8), torch.zeros(200, 1, dtype=torch.bool)
    # No text of training has the pair that the last ones have.
    held = (seen == encode(["d"], vocabulary)[0][1]).any(1)
    optimizer = torch.optim.Adam(made.parameters(), lr=0.01)
    for _ in range(60):
        terms = made(tokens[~held], absent[~held], truth[~held], teach=True, text=seen[~held])
        optimizer.zero_grad()
        text.loss(terms, truth[~held], 0.0, 0.0).mean().backward()
        optimizer.step()
    with torch.no_grad():
        answers = made(tokens[held], absent[held], text=seen[held])[:, 1:].long()
    assert (answers[:, : truth.shape[1]] == truth[held]).all(1).float().mean() > 0.5


def test_a_decoder_that_reads_does_without_a_text_and_with_a_longer_one() -> None:
    made, vocabulary, written = read_and_copied(16)
    tokens, absent = memory()
    said = torch.from_numpy(text.encode_source(written, vocabulary))
    none = torch.from_numpy(text.encode_source(np.zeros_like(written), vocabulary))
    assert (none == -1).all()
    with torch.no_grad():
        answers = made(tokens, absent, text=said)
        padded = made(tokens, absent, text=functional.pad(said, (0, 9), value=-1))
        np.testing.assert_allclose(answers, padded, atol=1e-5)
        np.testing.assert_allclose(made(tokens, absent, text=none), made(tokens, absent), atol=1e-5)
        shares, _ = made.step(said[:, :1], 0, None, None, made.encode_memory(tokens, absent, said))
    np.testing.assert_allclose(shares.exp().sum(2), 1.0, atol=1e-4)


def test_attention_hands_over_all_of_its_tokens() -> None:
    module = fusion_of("attention")
    fusion = module.build(3, 8, module.Options(heads=2)).eval()
    tokens, absent = memory()
    with torch.no_grad():
        fused, missing = fusion.fused_tokens(tokens, ~absent)
        assert torch.equal(fused[:, 0], fusion(tokens, ~absent))
    assert fused.shape == (16, 4, 8)
    assert torch.equal(missing[:, 1:], absent)


def test_figures_by_hand_and_by_sacrebleu() -> None:
    truth = np.array(["a red cat sat there", "Un canard.", "Ente", ""], object)
    answer = np.array(["a red cat sits there", "Un canard.", "E", "x"], object)
    sums = text_metrics.statistics(truth, answer).sum(0)
    figures = text_metrics.from_sums(sums)
    assert figures["exact_match"] == 0.25
    assert text_metrics.from_sums(np.zeros_like(sums))["bleu"] == 0
    perfect = text_metrics.from_sums(text_metrics.statistics(truth[:2], truth[:2]).sum(0))
    assert perfect["chrf"] == perfect["exact_match"] == perfect["bleu"] == 1
    sacrebleu = pytest.importorskip("sacrebleu")
    chrf = sacrebleu.corpus_chrf(list(answer), [list(truth)], eps_smoothing=False).score
    assert 100 * figures["chrf"] == pytest.approx(chrf)
    bleu = sacrebleu.corpus_bleu(
        list(answer), [list(truth)], smooth_method="none", tokenize="13a"
    ).score
    assert 100 * figures["bleu"] == pytest.approx(bleu)


def test_captions_are_learnt_beyond_the_most_frequent_one(fitted, tmp_path) -> None:
    model, trained, parts = fitted
    measured = evaluate("m", model, [Split("test", parts["test"], {})],
                        EvaluationOptions(resamples=100), 7)  # fmt: skip
    figures = measured.metrics["caption"]["test"]
    chrf = figures["chrf"]
    assert chrf["value"] > figures["most frequent"]["chrf"] + 0.1
    assert chrf["low"] < chrf["value"] < chrf["high"]
    rows = measured.predictions
    assert any(row["prediction"] == row["truth"] for row in rows)
    assert all(0 < row["probabilities"] <= 1 for row in rows)
    assert any(row["truth"] is None for row in rows)
    write_evaluation(tmp_path, "caption", measured)
    header, *lines = (tmp_path / "subsets.csv").read_text().splitlines()
    assert header.endswith(",r2,chrf,exact_match")
    assert all(0 <= float(line.split(",")[-2]) <= 1 for line in lines)

    save_model(tmp_path, trained, model.sets, model.classes, model.options, {"made_by": {}})
    again = load_model(tmp_path)
    before, after = (
        predict(each.network, parts["test"], each.priors)["caption"] for each in (model, again)
    )
    assert np.array_equal(before, after)
    blind = parts["test"].take(np.arange(16))
    blind = replace(blind, present=np.zeros_like(blind.present))
    prior = predict(again.network, blind, again.priors)["caption"]
    assert text.say(text.decide(prior, ())[0], model.classes["caption"]).startswith("a ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hidden": 30, "heads": 4}, "hidden: 30 is not divisible by the 4 heads"),
        ({"shortest": 5, "longest": 5}, "shortest: 5 is not below longest, 5"),
        ({"focal": 2.0}, "focal: a text is learned by its plain cross entropy"),
        ({"vocabulary": 256}, "vocabulary: Input should be greater than or equal to 257"),
    ],
)
def test_wrong_options_are_said(options, said) -> None:
    with pytest.raises(ValueError, match=said):
        task_options({"kind": "text", **options})


def test_an_order_is_of_classes() -> None:
    with pytest.raises(PipelineError, match="`order` is of classes"):
        classes_of(captioned(), {"caption": task_options({**SMALL, "order": ["a"]})})


def test_cider_and_self_retrieval_reward_what_is_particular() -> None:
    truth = np.array(["a red cat", "a blue dog", "a green bird", "a red cat"], object)
    constant = np.array(["a red cat"] * 4, object)
    right = text.figures(truth, truth, truth)
    assert right["self_retrieval"] == 1
    assert text.figures(truth, truth, constant)["self_retrieval"] == 0.5
    assert text.figures(truth, truth, np.array(["?"] * 4, object))["self_retrieval"] == 0
    # No truth has an n-gram of 4 words; of the others every cosine is 1.
    assert right["cider"] == pytest.approx(7.5)
    near = truth.copy()
    near[1] = "a blue bat"
    assert 0 < text.figures(truth, truth, near)["cider"] < 7.5


def test_the_nearest_example_answers_and_is_beaten_by_what_joins(fitted) -> None:
    model, _, parts = fitted
    rows = nearest_rows(parts["train"], parts["train"], "caption")
    known = has_target(parts["train"].targets["caption"])
    assert (rows[known] == np.flatnonzero(known)).mean() > 0.95
    unseen = replace(parts["test"], present=np.zeros_like(parts["test"].present))
    assert (nearest_rows(parts["train"], unseen, "caption") == -1).all()
    measured = evaluate("m", model, [Split("test", parts["test"], {})],
                        EvaluationOptions(resamples=100), 7, parts["train"])  # fmt: skip
    figures = measured.metrics["caption"]["test"]
    nearest, lead, chrf = figures["nearest neighbour"], figures["lead"], figures["chrf"]
    assert nearest["chrf"] > figures["most frequent"]["chrf"]
    assert lead["value"] == pytest.approx(chrf["value"] - nearest["chrf"])
    assert lead["low"] < lead["value"] < lead["high"]
    answered = predict(model.network, parts["test"], model.priors)["caption"]
    answers = known_answers(parts["test"], "caption", answered, model.network.decodings["caption"])
    equal = ahead_of(
        answers, answers.prediction, EvaluationOptions(resamples=100), np.random.default_rng(1)
    )
    assert equal == {"value": 0, "low": 0, "high": 0}, "both are measured on the same resamples"


@pytest.fixture(scope="module")
def given_language():
    """A model whose decoder is told a language, which some samples do not say; its splits."""
    world = captioned()
    tongue = np.where(np.arange(len(world.split)) % 2 == 0, "en", "fr").astype(object)
    captions = world.targets["caption"]
    captions = np.array(
        [c and (c if t == "en" else c.replace("thing", "chose").replace("a ", "un ", 1))
         for c, t in zip(captions, tongue, strict=True)], object,
    )  # fmt: skip
    tongue[:5] = None
    world = replace(world, targets={**world.targets, "caption": captions, "tongue": tongue})
    options = chosen({"caption": {**SMALL, "given": "tongue"}}, epochs=24, batch_size=32)
    trained, parts, classes = worlds.fit(world, options)
    sets = list(parts["train"].sets)
    return TrainedModel(trained.network, sets, options, classes, trained.priors, {}), parts


def test_a_decoder_can_be_told_what_its_text_begins_with(given_language) -> None:
    model, parts = given_language
    names = model.classes["caption"]
    assert names[-3:] == ["\n", "\nen", "\nfr"]
    with pytest.raises(PipelineError, match="unknown value 'de'; there are: en, fr"):
        text.begin("de", names)
    test = parts["test"]
    rows = test.targets["caption"][test.targets["caption"][:, 0] >= 0]
    assert {names[row[0]] for row in rows} <= {"\n", "\nen", "\nfr"}
    assert text.say(rows[0], names).split()[0] in ("a", "un")
    for language, first, last in (("en", "a", "thing"), ("fr", "un", "chose")):
        begun = np.full((len(test), 1), text.begin(language, names))
        asked = replace(test, targets={"caption": begun})
        answer = predict(model.network, asked, model.priors)["caption"]
        said = [text.say(ids, names).split() for ids in text.decide(answer, ())]
        assert np.mean([s[:1] == [first] for s in said]) > 0.9
        assert np.mean([s[-1:] == [last] for s in said]) > 0.9
    free = predict(model.network, replace(test, targets={}), model.priors)["caption"]
    assert {names[int(ids)] for ids in free[:, 1]} <= {"\n", "\nen", "\nfr"}


def test_what_repeats_training_is_told_the_same_as_the_decoder(given_language) -> None:
    model, parts = given_language
    train, decoding = parts["train"], model.network.decodings["caption"]
    test = parts["test"].take(has_target(parts["test"].targets["caption"]))
    truth, known = (decoding.measurable(each.targets["caption"]) for each in (test, train))
    first, known_first = (each.targets["caption"][:, 0] for each in (test, train))
    measured = evaluate("m", model, [Split("test", test, {})],
                        EvaluationOptions(resamples=100), 7, train)  # fmt: skip
    figures = measured.metrics["caption"]["test"]

    learned, prior = model.options.tasks["caption"], model.priors["caption"]
    said = np.repeat(prior[None], len(test), 0)
    for value in np.intersect1d(first, known_first):
        said[first == value] = learned.prior(train.targets["caption"][known_first == value], 0)
    commonest = decoding.measurable(text.decide(said, ()))
    assert {words.split()[0] for words in commonest} == {"a", "un"}
    assert figures["most frequent"]["exact_match"] == pytest.approx(np.mean(commonest == truth))

    rows = nearest_rows(train, test, "caption", allowed=first[:, None] == known_first)
    same = rows >= 0
    assert same.tolist() == np.isin(first, known_first).tolist()
    assert set(same) == {True, False}, "one is told what training never was"
    assert np.array_equal(known_first[rows[same]], first[same])
    assert not np.array_equal(nearest_rows(train, test, "caption")[same], rows[same])
    near = text.figures(truth, truth, np.where(same, known[rows], commonest))
    assert figures["nearest neighbour"]["chrf"] == pytest.approx(near["chrf"])

    pairs = set(zip(known_first, known, strict=True))
    shared = np.mean([pair in pairs for pair in zip(first, truth, strict=True)])
    assert figures["repeated"]["value"] == pytest.approx(shared)
    nobody = replace(test, present=np.zeros_like(test.present))
    unseen = evaluate("m", model, [Split("test", nobody, {})], EvaluationOptions(), 7, train)
    assert unseen.metrics["caption"]["test"] == {
        "n": len(test), "components": figures["components"], "unseen": len(test)
    }  # fmt: skip


def test_half_precision_copies_nearly_the_same() -> None:
    """Under autocast to float16, whose numbers end at 65504, and with rows without a text."""
    made, vocabulary, written = read_and_copied(16)
    written[::4] = 0
    source = torch.from_numpy(text.encode_source(written, vocabulary))
    tokens, absent = memory()
    targets = source.clamp(min=0)
    wanted = made(tokens, absent, targets, teach=True, text=source)
    for half in (torch.float16, torch.bfloat16):
        with torch.autocast("cpu", dtype=half):
            halved = made(tokens, absent, targets, teach=True, text=source)
        assert halved.dtype == torch.float32
        torch.testing.assert_close(halved, wanted, rtol=0.05, atol=0.2)


def copying_network() -> tuple[Network, dict, dict]:
    """A network that reads a vector and a text, which it may copy; its values and lengths."""
    options = chosen(
        {"caption": {**SMALL, "copies": "utf8"}}, fusion="attention", features=["picture", "utf8"],
        towers={"utf8": {"kind": "embedding", "words": 256, "numbers": 4,
                         "reader": {"kind": "attention", "hidden": 4}}},
    )  # fmt: skip
    sets = [FeatureSpec("picture", "image", (4,)), FeatureSpec("utf8", "text", (8, 1))]
    vocabulary = fit_vocabulary(["red", "blue"], 290)
    torch.manual_seed(0)
    network = Network(sets, {"caption": len(vocabulary)}, options).eval()
    network.decodings["caption"] = replace(network.decodings["caption"], classes=vocabulary)
    texts = ["red", "blue", "x", "a, b"]
    ids, lengths = utf8.Encoder(utf8.Options(bytes=8)).encode(texts)
    values = {"picture": torch.randn(4, 4), "utf8": torch.from_numpy(ids)}
    return network, values, {"picture": torch.ones(4), "utf8": torch.from_numpy(lengths)}


def test_an_absent_text_is_as_a_blank_one_and_none_is_read_beyond_its_length() -> None:
    network, values, lengths = copying_network()
    both = torch.ones(4, 2, dtype=torch.bool)
    hidden = both & torch.tensor([True, False])
    beyond = torch.arange(8) >= lengths["utf8"][:, None]
    garbage = {**values, "utf8": values["utf8"].masked_fill(beyond[..., None], 66.0)}
    nothing = {**values, "utf8": torch.full_like(values["utf8"], torch.nan)}
    blank = {**lengths, "utf8": torch.zeros_like(lengths["utf8"])}
    with torch.no_grad():
        wanted = network(values, lengths, both)["caption"]
        absent = network(values, lengths, hidden)["caption"]
        assert absent.isfinite().all()
        assert not torch.equal(absent, wanted)
        assert torch.equal(network(nothing, lengths, hidden)["caption"], absent)
        assert torch.equal(network(garbage, lengths, both)["caption"], wanted)
        read = network.texts(values, blank, both), network.texts(nothing, lengths, hidden)
    assert torch.equal(read[0][0], read[1][0])
    assert (read[0][0] == -1).all()
