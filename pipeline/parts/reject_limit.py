"""The share of its rows that a stage may refuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline.core.errors import PipelineError
from pipeline.core.records import UNLABELLED, Reject
from pipeline.core.remedies import remedy
from pipeline.parts import refusals
from pipeline.parts.summary import Summary

# Reasons that the message of a failed stage tells.
SHOWN = 3
# Reasons that say of nothing that it is wrong: an example may lack a target, a film its sound.
NORMAL = (UNLABELLED, "absent")


def check_limit(
    stage: str,
    summary: Summary,
    limit: float,
    refused: Sequence[Reject],
    what: str = "rows",
    files: Mapping[str, str] | None = None,
) -> None:
    """Fail a stage whose share of rejected rows passes its limit; the NORMAL ones do not count.

    The message tells the commonest reasons with an example of each; all that was refused is kept
    where `pipeline rejects` reads it.

    Parameters
    ----------
    refused:
        All that the stage refused, of what is held to another limit too.
    what:
        What `summary` counts.
    files:
        Digest → the file that it is of, where that is known.
    """
    rejected = summary.rejected - sum(summary.reasons.get(reason, 0) for reason in NORMAL)
    total = summary.rows + rejected
    if not total or rejected / total <= limit:
        refusals.forget(stage)
        return
    refusals.keep(stage, refused)
    examples = {reject.reason: reject for reject in sorted(refused, reverse=True)}
    common = Counter(summary.reasons).most_common(SHOWN)
    raise PipelineError(
        "\n".join(
            [
                f"{stage}: {rejected} of {total} {what} were rejected "
                f"({rejected / total:.1%}, the limit is {limit:.1%}):",
                *(
                    f"  {n} {reason}, {_example(examples[reason], files or {})}"
                    for reason, n in common
                    if reason not in NORMAL
                ),
                f"The previous outputs stand; `pipeline rejects --stage {stage}` shows what was "
                f"refused. {_advice(summary)}raise the stage's reject_limit in params.yaml.",
            ]
        )
    )


def _example(reject: Reject, files: Mapping[str, str]) -> str:
    place = f"{reject.source}/{reject.batch}: {reject.subject_kind} {reject.subject}"
    help_ = remedy(reject.stage, reject.reason)
    return f"such as {files.get(reject.digest) or place}: {reject.message}" + (
        f" ({help_})" if help_ else ""
    )


def _advice(summary: Summary) -> str:
    if summary.provisional:
        return (
            "What failed, crashed or timed out is tried again at the next run: give it more memory "
            "or a longer execution.timeout, or mend the data or the code, or "
        )
    return "Mend the data, or "
