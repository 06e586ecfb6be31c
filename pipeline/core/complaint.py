"""What another program says where it fails, fit for a sentence."""

from __future__ import annotations

# Where DVC has told what it had to, and only offers its maker's help.
SUPPORT = "Having any troubles?"


def complaint(output: str) -> str:
    """What another program says of its failure, without the stack that it may show."""
    text = output.partition(SUPPORT)[0].strip().removeprefix("ERROR: ") or "nothing"
    return text.splitlines()[-1] if "Traceback (most recent call last)" in text else text
