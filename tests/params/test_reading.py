from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core.errors import PipelineError
from pipeline.params import load, parse
from pipeline.params.document import read as document_of
from tests.encoders import tiny_models

HERE = Path(__file__).parents[2]


def document() -> dict[str, Any]:
    return yaml.safe_load((HERE / "params.yaml").read_text())


def mistakes(changed: dict[str, Any]) -> list[str]:
    with pytest.raises(PipelineError) as caught:
        parse(changed)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_the_default_recipe_is_valid_and_frozen() -> None:
    params = load(HERE / "params.yaml")
    assert params.set_modalities["mfcc"] == "audio"
    with pytest.raises(AttributeError):
        params.seed = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        params.parts.mean_rows = 1


def test_every_mistake_is_said_at_once_with_its_path() -> None:
    changed = document()
    changed["seed"] = -1
    changed["sede"] = 3
    changed["clean"]["image"]["max_sid"] = 3
    changed["clean"]["audio"]["max_seconds"] = 0
    changed["features"]["mfcc"]["encoder"] = "mffc"
    changed["models"]["audio"]["features"] = ["mfc"]
    changed["curate"]["ratios"]["train"] = 0.9
    found = mistakes(changed)
    for start in [
        "seed: ",
        "sede: unknown section 'sede'; there are: augment",
        "clean.image.max_sid: unknown key 'max_sid'; there are: damaged",
        "clean.audio.max_seconds: ",
        "features.mfcc.encoder: unknown encoder 'mffc'; there are: ",
        "models.audio.features.0: unknown feature set 'mfc'; there are: ",
        "curate.ratios: train, validation and test sum to 1.2",
    ]:
        assert [line for line in found if line.startswith(start)], start


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("modalities",), ["image", "smell"], "modalities.1: unknown modality 'smell'"),
        (("modalities",), ["image", "image"], "named twice"),
        (("sources", "stamps", "kind"), "stamp", "sources.stamps.kind: unknown source 'stamp'"),
        (("fetch", "stemps"), {}, "fetch.stemps: unknown source 'stemps'; there are: stamps"),
        (("features", "mfcc", "modality"), "image", "'mfcc' encodes audio, not image"),
        (("models", "image", "tasks"), {"category": {}, "colour": {}}, "unknown target 'colour'"),
        (("models", "image", "views"), 3, "trains on 3 views, but augment makes 2"),
        (("models", "gated", "fusion"), "mean", "unknown fusion 'mean'; there are: "),
        (("curate", "join_on", "smell"), "equal", "unknown modality 'smell'"),
        (("curate", "join_on", "audio"), "near", "audio cannot join on near, having no percep"),
        (("curate", "join_on", "audio"), "near", "perceptual hash; there are: image; set it"),
        (
            ("targets", "language", "kind"),
            "words",
            "targets.language.kind: unknown kind 'words'",
        ),
        (("targets", "language", "kind"), "words", "there are: binary, multiclass, multi"),
        (
            ("models", "image", "tasks"),
            {"category": {"kind": "regression"}},
            "image.tasks.category.kind: a target of kind multiclass cannot be learnt as regression",
        ),
        (
            ("models", "image", "tasks"),
            {"category": {"order": ["a", "a"]}},
            "models.image: tasks.category.order: one is named twice",
        ),
        (("sources", "../raw"), {"kind": "stamps"}, "sources.../raw: '../raw' cannot name"),
        (("features", "a/b"), {"modality": "text", "encoder": "hashing"}, "'a/b' cannot name"),
        (
            ("features", "Samples"),
            {"modality": "text", "encoder": "hashing"},
            "features.Samples: 'Samples' is a table of the store's SQL",
        ),
        (
            ("features", "clean_text"),
            {"modality": "text", "encoder": "hashing"},
            "'clean_text' is a table of the store's SQL",
        ),
        (("models", ".hidden"), {}, "models..hidden: '.hidden' cannot name a folder"),
        (("models", "new\n"), {}, "cannot name a folder"),
        (("models", "v1.2"), {}, "'v1.2' cannot name a folder"),
        (("targets", "score"), {"kind": "regression"}, "targets.score: 'score' is a name that"),
        (("targets", "Validation"), {"kind": "binary"}, "is a name that the project uses itself"),
        (("targets", "Category"), {"kind": "binary"}, "'category' and 'Category' differ by case"),
        (("targets", "../x"), {"kind": "binary"}, "'../x' cannot name a target"),
        (("targets", "a.b"), {"kind": "binary"}, "'a.b' cannot name a target"),
        (("targets", " a"), {"kind": "binary"}, "' a' cannot name a target"),
        (("features", "MFCC"), {"modality": "audio", "encoder": "mfcc"}, "differ by case alone"),
        (("features", "split"), {"modality": "text", "encoder": "hashing"}, "uses itself"),
        (("models", "Gated"), {}, "models.gated: 'gated' and 'Gated' differ by case alone"),
        (("ingest", "optional"), ["smell"], "ingest.optional.0: unknown modality 'smell'"),
        (("ingest", "unused_limit"), 2, "ingest.unused_limit: "),
        (("modalities",), [["image"]], "modalities.0: unknown modality"),
        (("clean", "smell"), {}, "clean.smell: unknown modality"),
        (("execution", "workers"), 0, "execution.workers: "),
        (("targets", "category", "kind"), "multi", "targets.category.kind: "),
        (("parts",), 3, "parts: "),
        (("compress",), {"s": {"model": "gatd"}}, "compress.s.model: unknown model 'gatd'"),
        (("compress",), {"gated": {"model": "gated"}}, "'gated' is a name of `models`"),
        (("compress",), {"../s": {"model": "gated"}}, "'../s' cannot name a folder"),
        (("compress",), {"s": {"model": "gated", "ways": []}}, "compress.s.ways: name one way"),
        (
            ("compress",),
            {"s": {"model": "gated", "student": {"features": ["x"]}}},
            "compress.s.student.features.0: unknown feature set 'x'",
        ),
        (
            ("compress",),
            {"s": {"model": "gated", "student": {"tower": {"width": 0}}}},
            "compress.s.student: tower width",
        ),
        (("comparison", "models", "late", "workers"), 2, "comparison.models.late.workers: here"),
        (
            ("comparison", "models", "late", "towers_from"),
            "encoders/shared",
            "comparison.models.late.towers_from: classifiers are compared on folds",
        ),
        (
            ("models", "image", "alignment"),
            {},
            "models.image.alignment: all its features are of image: name one of another modality",
        ),
        (("evaluate", "zero_shot"), ["shap"], "evaluate.zero_shot.0: unknown target 'shap'"),
        (("evaluate", "label_shares"), [2], "evaluate.label_shares.0: "),
        (("evaluate", "label_shares"), [0.5], "evaluate.label_shares: name the targets"),
        (
            ("targets", "alignment"),
            {"kind": "multiclass"},
            "'alignment' is a name that the project",
        ),
        (("comparison", "resamples"), 2000, "could be sure at a confidence of 0.95 with fewer"),
    ],
)
def test_a_mistake_names_what_is_wrong(path: tuple[str, ...], value: Any, message: str) -> None:
    changed = document()
    section = changed
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    assert [line for line in mistakes(changed) if message in line]


def test_what_has_no_tasks_is_not_compressed() -> None:
    changed = document()
    shared = {key: changed["models"]["gated"][key] for key in ("features", "fusion", "tower")}
    changed["models"]["shared"] = {**shared, "alignment": {}}
    parse(changed)
    changed["compress"] = {"small": {"model": "shared"}}
    (mistake,) = mistakes(changed)
    assert mistake.startswith("compress.small.model: 'shared' has no tasks")


def test_classes_that_a_sample_has_several_of_have_no_single_name() -> None:
    changed = document()
    changed["targets"]["traits"] = {"kind": "multilabel"}
    changed["evaluate"]["zero_shot"] = ["traits"]
    assert mistakes(changed) == [
        "evaluate.zero_shot.0: 'traits' is of kind multilabel, and no sample has one class of it"
    ]


def own(**sections: Any) -> dict[str, Any]:
    """Params of a folder source with targets and attributes."""
    source = {"kind": "folder", "targets": {"kind": "shape"}, "attributes": ["artist"]}
    return {
        "seed": 0,
        "sources": {"mine": source},
        "modalities": ["text"],
        "targets": {"shape": {"kind": "multiclass"}, "size": {"kind": "regression"}},
        **sections,
    }


def test_a_source_names_targets_that_there_are() -> None:
    parse(own())
    changed = own()
    changed["sources"]["mine"]["targets"] = {"kind": "shap"}
    (mistake,) = mistakes(changed)
    assert mistake == ("sources.mine.targets.kind: unknown target 'shap'; there are: shape, size")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"image": "picture"}}, "sources.mine.columns: image: 'picture' is no column"),
        ({"columns": {"a": "text", "b": "text"}}, "more than one column for the column text"),
        ({"fallback": "cp12520"}, "'cp12520' is no text encoding"),
        (
            {"folders": "shap"},
            "sources.mine.folders: unknown target 'shap'; there are: shape, size",
        ),
    ],
)
def test_a_source_says_what_its_columns_are(options: dict[str, Any], message: str) -> None:
    changed = own()
    changed["sources"]["mine"] |= options
    assert [line for line in mistakes(changed) if message in line]


def test_a_tables_encoding_is_that_of_text_unless_the_source_says_another() -> None:
    def fallback(**source: str) -> str | None:
        changed = own(clean={"text": {"fallback": "cp1252"}})
        changed["sources"]["mine"] |= source
        options: Any = parse(changed).sources["mine"].options
        return options.fallback

    assert fallback() == "cp1252"
    assert fallback(fallback="koi8-r") == "koi8-r"
    changed = document()
    changed["clean"]["text"]["fallback"] = "cp1252"
    assert "fallback" not in parse(changed).sources["stamps"].options.model_dump()


def test_names_of_targets_may_be_words_of_any_language() -> None:
    names = ["größe", "taste score", "n-1", "_x", "7"]
    parsed = parse(
        own(targets={"shape": {"kind": "multiclass"}, **{n: {"kind": "binary"} for n in names}})
    )
    assert {*names} < {*parsed.targets}


def test_groups_are_targets_or_attributes_that_the_sources_have() -> None:
    parse(own(evaluate={"group_by": ["size", "artist", "presence", "source"]}))
    (mistake,) = mistakes(own(evaluate={"group_by": ["shape", "artsit"]}))
    assert mistake == (
        "evaluate.group_by.1: unknown target or attribute 'artsit'; there are: artist, "
        "presence, shape, size, source"
    )


def test_durations_are_those_of_clips() -> None:
    parse(own(modalities=["audio", "text"], evaluate={"group_by": ["duration"]}))
    (mistake,) = mistakes(own(evaluate={"group_by": ["duration"]}))
    assert mistake.startswith("evaluate.group_by.0: unknown target or attribute 'duration'")


@pytest.mark.parametrize(
    ("feature", "model", "said"),
    [
        ({"encoder": "pixels"}, {"tower": {"kind": "cnn", "channels": 3}}, None),
        ({"encoder": "pixels"}, {}, "models.m.towers.f: tower 'mlp' takes vectors"),
        ({"encoder": "hashing"}, {"tower": {"kind": "gru"}}, "what fits: linear, mlp"),
        ({"encoder": "tokens"}, {"tower": {"kind": "embedding"}}, None),
        ({"encoder": "tokens"}, {"tower": {"kind": "gru"}}, "takes quantities, not ids of words"),
        ({"encoder": "tokens"}, {"tower": {"kind": "gru"}}, "what fits: embedding"),
        ({"encoder": "logmel"}, {"tower": {"kind": "embedding"}}, "takes ids of words, and"),
        (
            {"encoder": "logmel"},
            {"tower": {"kind": "gru", "times": True}},
            "m.towers.f.times: the frames of 'f' bear no times: encoder 'logmel' gives none",
        ),
        (
            {"encoder": "windows", "times": False},
            {"tower": {"kind": "gru", "times": True}},
            "bear no times: set `times: true` in features.f, or leave `times` out of the tower",
        ),
        ({"encoder": "tokens", "dtype": "float16"}, {"tower": {"kind": "embedding"}}, "float32"),
        ({"encoder": "logmel"}, {"fusion": "early"}, None),
        ({"encoder": "tokens"}, {"fusion": "early"}, "m.towers.f: tower 'identity' takes quant"),
        ({"encoder": "logmel"}, {"fusion": "early", "tower": {"kind": "gru"}}, "m.fusion: tower"),
    ],
)
def test_a_tower_reads_what_its_encoder_makes(
    feature: dict[str, Any], model: dict[str, Any], said: str | None
) -> None:
    modality = {"pixels": "image", "logmel": "audio", "windows": "audio"}.get(
        feature["encoder"], "text"
    )
    changed = own(
        modalities=[modality],
        features={"f": {"modality": modality, **feature}},
        models={"m": {"features": ["f"], "tasks": {"shape": {}}, "primary": "shape", **model}},
    )
    if said is None:
        assert parse(changed).models["m"].features == ("f",)
    else:
        (mistake,) = mistakes(changed)
        assert said in mistake


@pytest.mark.parametrize(
    ("feature", "tower", "said"),
    [
        ({}, {}, None),
        ({"pooling": "mean"}, {}, "its set needs pooling: sequence"),
        ({"normalise": True}, {}, "its set needs normalise: false"),
        ({"layer": 2}, {}, "its set needs layer: 1"),
        ({}, {"layers": 2}, "its set needs layer: 0"),
        ({"revision": "other"}, {}, "its set needs revision: main"),
        ({}, {"model": "package:other"}, "its set needs model: package:other"),
        ({}, {"layers": 3}, "has 2 layers, not 3"),
        ({}, {"heads": 4}, "has heads: 2: leave it out here"),
        ({"layer": 2}, {"heads": 4}, "leave it out here; it begins as "),
        ({"encoder": "use_multilingual"}, {}, "its set needs encoder: transformer"),
        ({}, {"layer_norm_eps": 1e-5}, "has layer_norm_eps: 1e-12: leave it out here"),
        ({}, {"model": "", "heads": 4}, None),
    ],
)
def test_a_network_goes_on_where_its_set_stops(
    feature: dict[str, Any], tower: dict[str, Any], said: str | None
) -> None:
    network = str(tiny_models.folder("bert"))
    below = {"model": network, "layer": 1, "pooling": "sequence", "normalise": False}
    changed = own(
        modalities=["text"],
        features={
            "f": {"modality": "text", "encoder": "transformer", "max_tokens": 9, **below, **feature}
            if "encoder" not in feature
            else {"modality": "text", **feature}
        },
        models={
            "m": {
                "features": ["f"],
                "tower": {"kind": "bert", "model": network, **tower},
                "tasks": {"shape": {}},
                "primary": "shape",
            }
        },
    )
    if said is None:
        assert parse(changed).models["m"].features == ("f",)
    else:
        assert any(said in mistake for mistake in mistakes(changed))


def test_a_decoder_copies_from_a_text_of_its_model() -> None:
    changed = own(
        modalities=["text"],
        targets={"shape": {"kind": "multiclass"}, "caption": {"kind": "text"}},
        features={"f": {"modality": "text", "encoder": "utf8"},
                  "h": {"modality": "text", "encoder": "hashing"}},
        models={"m": {"features": ["f", "h"], "fusion": "attention",
                      "towers": {"f": {"kind": "embedding"}},
                      "tasks": {"caption": {"copies": "f"}}, "primary": "caption"}},
    )  # fmt: skip
    parsed = parse(changed).models["m"]
    assert parsed.tasks["caption"].copies == "f"
    changed["models"]["m"]["tasks"]["caption"]["copies"] = "h"
    (mistake,) = mistakes(changed)
    assert mistake.startswith("models.m.tasks.caption.copies: unknown feature set of the encoder")
    assert mistake.endswith("'h'; there are: f")


def test_a_source_that_does_not_say_its_attributes_may_have_any() -> None:
    changed = own(evaluate={"group_by": ["picture"]})
    changed["sources"]["stamps"] = {"kind": "stamps"}
    assert parse(changed).evaluate.group_by == ("picture",)


def test_one_mistake_is_not_said_again_by_what_depends_on_it() -> None:
    changed = document()
    changed["targets"]["category"]["kind"] = "multi"
    changed["features"]["mfcc"]["encoder"] = "mffc"
    assert {line.split(":")[0] for line in mistakes(changed)} == {
        "targets.category.kind",
        "features.mfcc.encoder",
    }


def test_a_mapping_that_was_merged_may_be_merged_again(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    # Nested, so that it is built after the mapping that it is merged into.
    path.write_text(
        "base: &b {k: 1, l: 1}\nmodels:\n  inner: &x {<<: *b, k: 2}\nother: {<<: *x, l: 3}\n"
    )
    read = document_of(path)
    assert read["models"]["inner"] == {"k": 2, "l": 1}
    assert read["other"] == {"k": 2, "l": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\nseed: 2\n", "the key 'seed' is given twice"),
        ("a: &x {k: 1}\nb: {<<: *x, k: 2, k: 3}\n", "the key 'k' is given twice"),
        ("a: &x {}\nb: {<<: *x, <<: *x}\n", "the key '<<' is given twice"),
        ("? [a]\n: 1\n", "a key is a list or a mapping"),
        ("a: &x [1]\n? *x\n: 1\n", "a key is a list or a mapping"),
        ("a: 2024-13-01\n", "is not YAML"),
        ("a: [", "is not YAML"),
        ("- 1\n", "holds no sections"),
        ("words", "holds no sections"),
        ("", "modalities: give a list"),
    ],
)
def test_files_that_are_no_params(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(PipelineError, match=message):
        load(tmp_path / "params.yaml")


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="run this in the project's folder"):
        load(tmp_path / "params.yaml")


def test_a_licence_is_of_a_feature_set() -> None:
    changed = document()
    changed["handover"]["licences"] = {"mfcc": "MIT", "mfccs": "MIT"}
    (mistake,) = mistakes(changed)
    assert mistake.startswith("handover.licences.mfccs: unknown feature set 'mfccs'; there are:")


def test_a_text_has_options_of_its_own_by_the_kind_of_its_target() -> None:
    changed = document()
    changed["targets"]["name"] = {"kind": "text"}
    changed["models"]["image"]["tasks"] = {"name": {"vocabulary": 300}, "category": {}}
    task = parse(changed).models["image"].as_kinds({"name": "text", "category": "multiclass"})
    assert task.tasks["name"].model_dump()["vocabulary"] == 300
    assert task.model_dump(mode="json")["tasks"]["name"]["decoding"] == "greedy"
    changed["models"]["image"]["tasks"]["name"] = {"vocabulary": 3, "beam": 2}
    (problem,) = mistakes(changed)
    assert problem.startswith("models.image.tasks.name: vocabulary: Input should be greater")
    assert "beam: Extra inputs" in problem
    changed["models"]["image"]["tasks"]["name"] = None
    changed["compress"] = {"small": {"model": "image"}}
    (problem,) = mistakes(changed)
    assert problem.startswith("compress.small.model: 'image' answers with a text ('name')")
