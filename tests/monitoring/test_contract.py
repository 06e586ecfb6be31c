"""The contract: good batches keep what others taught, and each breach is named with its level."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from pipeline.core.errors import PipelineError
from pipeline.curation.options import CurationOptions
from pipeline.monitoring.batch_profile import (
    BatchProfile,
    batch_profiles,
    contradicted,
    known_assets,
)
from pipeline.monitoring.contract import check_contract
from pipeline.monitoring.learnt_contract import learn_contract
from pipeline.params import parse
from pipeline.stages.plans import clean, ingest
from tests.dataset import params, put_batch

CLASSES = ["cat", "dog", "owl"]


def landed(
    seed: int,
    groups: int = 60,
    absent: float = 0.1,
    shares: tuple[float, ...] = (0.5, 0.4, 0.1),
    loud: float = 1.0,
) -> BatchProfile:
    """Three samples a group, of one class; the sound is missing in some groups."""
    rng = np.random.default_rng(seed)
    n = 3 * groups
    kind = np.repeat(rng.choice(CLASSES, groups, p=shares), 3)
    missing = np.repeat(rng.random(groups) < absent, 3)
    digests = [f"{seed}-{i}" for i in range(n)]
    samples = pa.table(
        {
            "sample_id": [f"s/{seed}/{i}" for i in range(n)],
            "group": np.repeat([f"{seed}-{i}" for i in range(groups)], 3),
            "target.kind": kind,
            "attributes": pa.array(
                [[("voice", "low" if i % 2 else "high")] for i in range(n)],
                pa.map_(pa.string(), pa.string()),
            ),
            "audio": pa.array(
                [None if gone else d for d, gone in zip(digests, missing, strict=True)]
            ),
        }
    )
    measured = pa.table(
        {
            "digest": digests,
            "content": digests,
            "size": rng.integers(1000, 2000, n),
            "duration": rng.lognormal(0, 0.5, n) * loud,
        }
    )
    stages = {"clean/audio": (int(rng.binomial(n, 0.02)), n)}
    return BatchProfile(
        "s", f"n{seed}", samples, {"audio": measured}, stages, {"audio": frozenset()}
    )


CONTRACT = learn_contract([landed(i) for i in range(20)], ["voice"])


def breaches(batch: BatchProfile) -> set[tuple[str, str, str]]:
    found = check_contract(batch, CONTRACT, ["voice"])
    assert all(each.batch == batch.batch and each.batch in each.message for each in found)
    return {(each.level, each.what, each.subject) for each in found}


def test_good_batches_keep_it_large_and_small() -> None:
    sizes = {i: 15 if i % 2 else 150 for i in range(100, 160)}
    assert [batch for i, n in sizes.items() if (batch := breaches(landed(i, n)))] == []


def test_it_is_numbers_that_a_person_reads_and_params_hold() -> None:
    text = yaml.safe_dump(CONTRACT.model_dump(mode="json", by_alias=True), sort_keys=False)
    assert "duration" in text
    document = params() | {"contract": {"shapes": yaml.safe_load(text)}}
    assert parse(document).contract["shapes"] == CONTRACT
    with pytest.raises(PipelineError, match=r"contract\.nobody: unknown source"):
        parse(params() | {"contract": {"nobody": yaml.safe_load(text)}})
    with pytest.raises(PipelineError, match="no accepted batch"):
        learn_contract([])


def test_one_odd_batch_among_twenty_moves_nothing() -> None:
    odd = landed(30, absent=0.9, shares=(0.0, 0.0, 1.0), loud=40.0)
    taught = learn_contract([*(landed(i) for i in range(20)), odd], ["voice"])
    assert taught.ranges["audio.duration"].high < 2 * CONTRACT.ranges["audio.duration"].high
    assert taught.presence["audio"].low > 0.4
    assert {b.what for b in check_contract(odd, taught, ["voice"])} >= {"presence", "shares"}


@pytest.mark.parametrize(
    ("batch", "breach"),
    [
        (landed(50, absent=0.6), ("batch", "presence", "audio")),
        (landed(51, shares=(0.1, 0.1, 0.8)), ("batch", "shares", "target.kind=owl")),
        (landed(52, loud=30.0), ("batch", "ranges", "audio.duration")),
        (landed(53, groups=2000), ("batch", "samples", "samples")),
        (
            replace(landed(54), stages={"clean/audio": (90, 180)}),
            ("batch", "rejects", "clean/audio"),
        ),
        (
            replace(landed(55), known={"audio": frozenset(f"55-{i}" for i in range(180))}),
            ("batch", "known", "samples"),
        ),
    ],
)
def test_a_breach_is_named(batch: BatchProfile, breach: tuple[str, str, str]) -> None:
    assert breach in breaches(batch)


def test_a_changed_schema_is_the_sources() -> None:
    batch = landed(60)
    renamed = batch.samples.rename_columns({"target.kind": "target.sort"})
    assert breaches(replace(batch, samples=renamed)) >= {
        ("source", "schema", "target.kind"),
        ("source", "schema", "target.sort"),
    }
    bare = batch.samples.set_column(
        3, "attributes", pa.nulls(180, pa.map_(pa.string(), pa.string()))
    )
    assert ("source", "schema", "voice") in breaches(replace(batch, samples=bare))


def test_single_rows_are_named_by_their_ids() -> None:
    batch = landed(70)
    kinds = batch.samples["target.kind"].to_pylist()
    kinds[7] = "newt"
    samples = batch.samples.set_column(2, "target.kind", pa.array(kinds))
    table = batch.measured["audio"]
    durations = table["duration"].to_pylist()
    place = next(i for i, digest in enumerate(samples["audio"].to_pylist()) if digest)
    durations[place] = 900.0
    measured = {"audio": table.set_column(3, "duration", pa.array(durations))}
    found = check_contract(replace(batch, samples=samples, measured=measured), CONTRACT)
    assert [(each.level, each.what, each.ids) for each in found] == [
        ("rows", "new_values", ("s/70/7",)),
        ("rows", "ranges", (f"s/70/{place}",)),
    ]
    assert "newt" in found[0].message
    assert "900" in found[1].message


def test_what_is_known_under_another_target_is_named_unless_that_is_usual() -> None:
    batch = landed(80)
    few, many = (frozenset(f"s/80/{i}" for i in range(count)) for count in (2, 90))
    (found,) = check_contract(replace(batch, contradicted=few), CONTRACT)
    assert (found.level, found.what, set(found.ids)) == ("rows", "contradicted", few)
    assert "2 samples are known, asset for asset, under another target" in found.message
    assert ("batch", "contradicted", "samples") in breaches(replace(batch, contradicted=many))
    usual = learn_contract(
        [
            replace(landed(i), contradicted=frozenset(f"s/{i}/{n}" for n in range(9)))
            for i in range(9)
        ]
    )
    assert check_contract(replace(batch, contradicted=few), usual) == []


def test_samples_contradict_by_all_that_they_have() -> None:
    """Content once clean, of the same modalities; a sample without a target says nothing."""
    measured = {
        "image": pa.table({"digest": ["i", "i2", "j"], "content": ["I", "I", "J"]}),
        "text": pa.table({"digest": ["t"], "content": ["T"]}),
    }

    def table(*rows: tuple[str, str | None, str | None, str | None]) -> pa.Table:
        names = ["sample_id", "target.kind", "image", "text"]
        return pa.table(
            [pa.array(column, pa.string()) for column in zip(*rows, strict=True)], names=names
        )

    earlier = table(("old", "cat", "i", "t"), ("bare", None, "j", None))
    new = table(
        ("other", "dog", "i2", "t"),
        ("same", "cat", "i", "t"),
        ("less", "dog", "i", None),
        ("first", "dog", "j", "t"),
        ("second", "cat", "j", "t"),
        ("nothing", "cat", "gone", None),
        ("open", None, "i", "t"),
        ("of bare", "owl", "j", None),
    )
    assert contradicted(new, earlier, measured) == {"other", "first", "second"}
    alone = table(("same", "cat", "i", "t"))
    assert contradicted(alone, earlier, measured) == frozenset()


def test_known_assets_are_equal_or_near() -> None:
    """By digest, by content once clean, and by a hash a few bits away."""
    base = 0x0123456789ABCDEF
    hashes = [base, base, base ^ 0b111, base ^ (2**40 - 1), None, base ^ 1]
    measured = pa.table(
        {
            "digest": ["old", "twin", "near", "far", "plain", "old2"],
            "content": ["a", "a", "b", "c", "d", "e"],
            "phash": [None if each is None else f"{each:016x}" for each in hashes],
        }
    )
    new = pa.chunked_array([["old", "twin", "near", "far", "plain", None]])
    earlier = pa.chunked_array([["old"]])
    options = CurationOptions(join_on={"image": "near"}, near_bits=8)
    assert known_assets("image", new, earlier, measured, options) == {"old", "twin", "near"}
    equal = CurationOptions(join_on={"image": "equal"})
    assert known_assets("image", new, earlier, measured, equal) == {"old", "twin"}


def test_what_landed_is_read_of_a_project(inside: Path) -> None:
    """Of two batches, the second of which brings the first's samples under other names again."""
    for batch in ("night 2", "night 10"):
        put_batch(Path("data/raw/shapes") / batch, 0, 2)
    document = params(executor="serial")
    given = parse(document)
    ingest.plan(given).run()
    for modality in given.modalities:
        clean.plan(given, modality).run()
    first, second = batch_profiles(Path("data"), given.modalities, given.curate)
    assert (first.source, first.batch, second.batch) == ("shapes", "night 2", "night 10")
    assert first.samples.num_rows == second.samples.num_rows == 6
    assert first.stages["ingest"] == (0, 6)
    assert not any(first.known.values())
    assert {name: len(digests) for name, digests in second.known.items()} == dict.fromkeys(
        given.modalities, 6
    )
    contract = learn_contract([first])
    assert contract.ranges["audio.duration"].low == 0.5
    assert check_contract(first, contract) == []
    assert [(each.what, each.measured) for each in check_contract(second, contract)] == [
        ("known", 1.0)
    ]
    (only,) = batch_profiles(Path("data"), given.modalities, given.curate, [("shapes", "night 10")])
    assert only.known == second.known
