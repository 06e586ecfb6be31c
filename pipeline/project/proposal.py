"""Params for a folder of data: what each column is taken for, by rules that are stated here.

In this order, a column is

1. files, if nine tenths of its cells name files of the folder, or are URLs; their endings say the
   modality;
2. the split, if all its cells are names of splits;
3. the group, if it is called after one (speaker, client_id, patient, …) and some cells are equal;
4. the text, if it is called after one (text, sentence, caption, …), else the column of the most
   words, at least three a cell;
5. the target, if it is called after one (label, class, category, language, …), else the last column
   of at most 1,000 classes with five rows each in the mean, else the last one of numbers;
6. an attribute, by which reports may be cut, if it has 2 to 20 values, each twice in the mean.

The others are not used. Where there is a folder for each class and no table, that class is the
target.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from pipeline.core.errors import PipelineError
from pipeline.params.yaml_edit import to_inline_yaml
from pipeline.project.survey import Column, Survey

GROUPS = {
    "group", "speaker", "speaker_id", "client_id", "subject", "subject_id", "patient", "patient_id",
    "user", "user_id", "author", "author_id", "session", "session_id", "recording", "recording_id",
    "participant", "participant_id", "person", "person_id", "family", "site",
}  # fmt: skip
TEXTS = (
    "text", "sentence", "caption", "description", "transcript", "transcription", "review",
    "comment", "content", "body", "message", "tweet", "question", "utterance", "title", "name",
)  # fmt: skip
TARGETS = (
    "label", "labels", "target", "class", "category", "y", "sentiment", "genre", "species", "breed",
    "emotion", "diagnosis", "type", "rating", "stars", "score", "grade", "price", "language",
    "locale", "gender", "age",
)  # fmt: skip
ORDERED = {"rating", "stars", "score", "grade"}
NONE = "none"
MOST_CLASSES, ROWS_A_CLASS, FEW_VALUES = 1_000, 5, 20
ENCODERS = {
    "image": "efficientnet_lite0",
    "audio": "mfcc",
    "text": "use_multilingual",
    "video": "frames",
}

# Asks which of some names it is to be; gives the default where nobody can be asked.
Ask = Callable[[str, Sequence[str], str], str]


@dataclass(frozen=True)
class Proposal:
    """What a folder of data is taken for.

    `columns` maps columns to what the source calls them, `kind` is that of the target, `folders`
    says that folders are its classes. Of the splits that the data names `splits` stand, all of them
    where it is None. The columns `urls` name files by URL. `join_text` is whether
    equal texts join groups.
    """

    target: str
    kind: str
    modalities: tuple[str, ...]
    columns: dict[str, str] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    splits: tuple[str, ...] | None = None
    urls: tuple[str, ...] = ()
    folders: bool = False
    join_text: bool = True


def propose(survey: Survey, ask: Ask) -> Proposal:
    """What the columns, or the folders, of a survey are taken for.

    Raises
    ------
    PipelineError
        Nothing could be a target, or there is nothing to tell it from.
    """
    splits = _standing(survey.splits)
    if survey.classes:
        media = tuple(survey.media)
        return Proposal("label", "multiclass", media, splits=splits, folders=True)
    left = {column.name: column for column in survey.columns}
    columns: dict[str, str] = {}
    for column in survey.columns:
        role = f"{column.modality}_file_name" if column.modality else ""
        if role and role not in columns.values():
            columns[column.name] = role
    _take(left, columns)

    if split := _first(c for c in left.values() if c.splits):
        columns[split] = "split"
        _take(left, columns)
    grouping = [c.name for c in left.values() if c.name.lower() in GROUPS and c.distinct < c.filled]
    _choose(left, columns, "group", "What must not straddle splits?", grouping, ask)

    has_text = "text_file_name" in columns.values()
    texts = [] if has_text else _texts(list(left.values()))
    options = [NONE] if not columns and not texts else [*left, NONE]
    _choose(left, columns, "text", "Which column is the text?", texts, ask, options)

    target, kind = _target(left, ask)
    modalities = tuple(
        name for name in ENCODERS if {f"{name}_file_name", name}.intersection(columns.values())
    )
    if not modalities:
        raise PipelineError(
            f"no column of {_tables(survey)} names files of the folder or holds text; there are: "
            f"{', '.join(column.name for column in survey.columns)}"
            + "".join(
                f"; {column.name} holds URLs whose endings say no modality: begin without --data "
                f"and write `columns: {{{column.name}: image_file_name}}` or the like"
                for column in survey.columns
                if column.urls
            )
        )
    few = [c.name for c in left.values() if _is_attribute(c) and c.name != target]
    text = next((c for c in survey.columns if columns.get(c.name) == "text"), None)
    return Proposal(
        target,
        kind,
        modalities,
        columns,
        tuple(few),
        tuple(name for name in left if name != target and name not in few),
        splits=splits,
        urls=tuple(c.name for c in survey.columns if c.urls and c.name in columns),
        join_text=text is None or 2 * text.distinct > text.filled,
    )


def _tables(survey: Survey) -> str:
    return survey.table or ", ".join(survey.split_tables)


def _standing(named: Collection[str]) -> tuple[str, ...] | None:
    """The splits to keep: all, but where there is no validation, which then comes out of train."""
    is_lacking = "train" in named and "validation" not in named
    return tuple(sorted({*named} - {"train"})) if is_lacking else None


def _take(left: dict[str, Column], columns: Iterable[str]) -> None:
    for name in columns:
        left.pop(name, None)


def _first(columns: Iterable[Column]) -> str:
    return next((column.name for column in columns), "")


def _choose(
    left: dict[str, Column],
    columns: dict[str, str],
    role: str,
    question: str,
    ranked: Sequence[str],
    ask: Ask,
    options: Sequence[str] | None = None,
) -> None:
    """Let a column be what is asked for, if one is chosen."""
    if not ranked:
        return
    chosen = ask(question, options or [*left, NONE], ranked[0])
    if chosen != NONE:
        columns[chosen] = role
        _take(left, columns)


def _texts(columns: Sequence[Column]) -> list[str]:
    """Columns that may be the text, the likeliest first."""
    prose = [c for c in columns if not c.numbers]
    named = [c.name for name in TEXTS for c in prose if c.name.lower() == name]
    wordy = sorted((c for c in prose if c.words >= 3), key=lambda c: -c.words)
    return [*named, *(c.name for c in wordy if c.name not in named)]


def _target(left: dict[str, Column], ask: Ask) -> tuple[str, str]:
    columns = list(left.values())
    named = [c.name for name in TARGETS for c in columns if c.name.lower() == name]
    classes = [c.name for c in reversed(columns) if _is_classes(c)]
    numbers = [c.name for c in reversed(columns) if c.numbers and not c.whole]
    ranked = [name for name in named if left[name].distinct > 1] or classes or numbers
    if not ranked:
        raise PipelineError(
            f"no column could be a target, which has numbers, or 2 classes or more of "
            f"{ROWS_A_CLASS} rows each on average; there are: "
            f"{', '.join(left) or 'none that is not used otherwise'}"
        )
    target = ask("Which column is to be told?", list(left), ranked[0])
    column = left[target]
    if column.numbers and not (column.whole and column.distinct <= FEW_VALUES):
        return target, "regression"
    return target, "ordinal" if column.numbers and target.lower() in ORDERED else "multiclass"


def _is_classes(column: Column) -> bool:
    return 2 <= column.distinct <= min(MOST_CLASSES, column.filled / ROWS_A_CLASS)


def _is_attribute(column: Column) -> bool:
    return 2 <= column.distinct <= FEW_VALUES and 2 * column.distinct <= column.filled


def told(proposal: Proposal, survey: Survey) -> list[str]:
    """What was decided, a line each."""
    if proposal.folders:
        media = ", ".join(f"{n:,} {modality}" for modality, n in survey.media.items())
        classes = f"{len(survey.classes)} folders, which are classes of `label`"
        return [f"{media} files in {classes}", *_about_splits(proposal)]
    lines = [f"{_tables(survey)}: {survey.rows:,} rows"]
    if survey.other_tables:
        others = ", ".join(survey.other_tables)
        lines.append(f"not read, nor the files that they alone name: {others}; --table takes one")
    lines += [f"column {name}: {role}" for name, role in proposal.columns.items()]
    lines += [
        f"column {name} holds URLs: params.yaml says how they are fetched, behind a #"
        for name in proposal.urls
    ]
    if "split" not in proposal.columns.values():
        lines += [
            f"folders {', '.join(column.split_folders)} of column {column.name} are no splits, "
            f"unless a column split says so"
            for column in survey.columns
            if column.split_folders
        ]
    lines += _about_splits(proposal)
    lines.append(f"column {proposal.target}: the target, {proposal.kind}")
    if proposal.attributes:
        lines.append(f"attributes, for reports: {', '.join(proposal.attributes)}")
    if proposal.unused:
        lines.append(f"not used: {', '.join(proposal.unused)}")
    return lines


def _about_splits(proposal: Proposal) -> list[str]:
    if proposal.splits is None:
        return []
    return ["the data names no split validation: it is taken out of train, by curate.ratios"]


def params_text(proposal: Proposal, source: str) -> str:
    """A params.yaml that says what differs from the defaults, and no more."""
    target = target_name(proposal.target)
    key = to_inline_yaml(target)
    lines = [
        "# What differs from the defaults; after a run data/params.json has every option.",
        "sources:",
        f"  {source}:                         # batches: `pipeline add FOLDER --source {source}`",
        "    kind: folder",
    ]
    if proposal.folders:
        lines.append("    folders: label                # folders are its classes")
    else:
        renamed = {column: role for column, role in proposal.columns.items() if column != role}
        if renamed:
            lines.append(f"    columns: {to_inline_yaml(renamed)}")
        lines.append(f"    targets: {to_inline_yaml({proposal.target: target})}")
        if proposal.attributes:
            lines.append(f"    attributes: {to_inline_yaml(list(proposal.attributes))}")
    if proposal.splits is not None:
        stand = to_inline_yaml(list(proposal.splits))
        lines.append(
            f"    splits: {stand}                # that stand; the others by curate.ratios"
        )
    if proposal.urls:
        lines.append(
            f"# download: {{{source}: {{}}}}    # fetches the files that the table names by URL"
        )
    encoders = {modality: ENCODERS[modality] for modality in proposal.modalities}
    joins = {"image": "near"} if "image" in encoders else {}
    if "text" in encoders and not proposal.join_text:
        joins["text"] = "none"
    lines += [
        f"modalities: {to_inline_yaml(list(encoders))}",
        "targets:",
        f"  {key}: {{kind: {proposal.kind}}}",
        "features:",
        *(
            f"  {encoder}: {{modality: {modality}, encoder: {encoder}}}"
            for modality, encoder in encoders.items()
        ),
    ]
    if joins:
        lines.append(f"curate: {{join_on: {to_inline_yaml(joins)}}}")
    (first, encoder), *others = encoders.items()
    lines += [
        "models:",
        f"  {first}: &model",
        f"    features: [{encoder}]",
        f"    tasks: {{{key}: {{}}}}",
        f"    primary: {key}",
        "    views: 2                      # augmented views that training draws from",
        *(f"  {name}: {{<<: *model, features: [{one}]}}" for name, one in others),
    ]
    if others:
        every = ", ".join(encoders.values())
        lines.append(f"  gated: {{<<: *model, features: [{every}], fusion: gated}}")
    return "\n".join(lines) + "\n"


def target_name(column: str) -> str:
    """A name for a target that params, tables and folders all take."""
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in column)
    return name.strip("_").lower() or "label"
