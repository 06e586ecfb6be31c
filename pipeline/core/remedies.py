"""What helps where a row was refused: the option by which it is told, or what to mend."""

from __future__ import annotations

# (first word of the stage, reason) → the remedy.
_OPTIONS = {
    ("clean", "blank"): "clean.image.min_contrast",
    ("clean", "too_small"): "clean.image.min_side",
    ("clean", "too_elongated"): "clean.image.max_aspect",
    ("clean", "too_many_pixels"): "clean.image.max_pixels",
    ("clean", "too_complex"): "clean.image.svg_seconds",
    ("clean", "silent"): "clean.audio.silence_dbfs",
    ("clean", "clipped"): "clean.audio.max_clipped",
    ("clean", "too_short"): "clean.audio.min_seconds",
    ("clean", "too_many_channels"): "clean.audio.max_channels",
    ("clean/audio", "too_long"): "clean.audio.max_seconds",
    ("clean/text", "too_long"): "clean.text.max_characters",
    ("clean/text", "not_utf8"): "clean.text.fallback",
    ("clean/text", "unclear"): "clean.text.speech",
    ("clean/video", "too_small"): "clean.video.min_side",
    ("clean/video", "too_elongated"): "clean.video.max_aspect",
    ("clean/video", "too_many_pixels"): "clean.video.max_pixels",
    ("clean/video", "too_short"): "clean.video.min_seconds",
    ("clean/video", "too_long"): "clean.video.max_seconds",
    ("clean/video", "too_fast"): "clean.video.max_rate",
    ("clean/video", "black"): "clean.video.max_black",
    ("clean/video", "frozen"): "clean.video.max_frozen",
    ("curate", "rare_class"): "curate.min_components_per_class",
    ("", "timed_out"): "execution.timeout",
}
_MENDS = {
    "missing_column": "write the column's name under `sources` in params.yaml as the table has it",
    "bad_metadata": "mend the table, or bring it as the source reads it",
    "bad_row": "mend the row",
    "missing_file": "add the file, or mend its path, which is relative to the batch's folder",
    "not_fetched": "name the source under `download` in params.yaml, and run `dvc repro`",
    "changed_content": "take the URL's line out of urls.csv to have the new bytes",
    "host_not_allowed": "the option hosts under `download` in params.yaml names hosts",
    "internal_address": "the option internal under `download` in params.yaml allows it",
    "too_slow": "`download` in params.yaml says how long it may take; the next run tries again",
    "unreachable": "the next `dvc repro` asks again",
    "server_error": "the next `dvc repro` asks again",
    "cut_off": "the next `dvc repro` asks again",
    "outside_folder": "put the file into the batch's folder",
    "duplicate_sample_id": "give each row an id of its own, or none",
    "unknown_split": "write train, validation or test, or leave the cell empty",
    "bad_target": "write a number, or name another kind under `targets` in params.yaml",
    "no_target": "fill in a target, or name another one under `targets` in params.yaml",
    "ambiguous": "leave one content a modality in each row",
    "absent": "nothing is wrong: the sample goes on without the modality",
    "bad_span": "write the seconds from start on until end, or leave both cells empty",
    "outside": "mend start and end in the table",
    "no_span": "cut the file itself, or leave start and end empty",
    "truncated": "bring the file again, whole",
    "empty_file": "bring the file again, whole",
    "held": "`pipeline nightly release` lets it in",
    "failed": "see the traceback; it is tried again when the stage next runs",
    "crashed": "it is tried again when the stage next runs, perhaps with more memory",
}


def remedy(stage: str, reason: str) -> str:
    """What helps, in a few words; empty where nothing in general does.

    Parameters
    ----------
    stage:
        As its records name it: `clean/image`.
    """
    for place in (stage, stage.split("/")[0], ""):
        if option := _OPTIONS.get((place, reason)):
            return f"the option {option} of params.yaml says where the limit is"
    return _MENDS.get(reason, "")


def options() -> list[str]:
    """Paths in params.yaml of all options that remedies name."""
    return sorted(_OPTIONS.values())
