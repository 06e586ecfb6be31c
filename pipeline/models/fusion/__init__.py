"""Ways to join what the towers say, one file each: `FusionKind` is what a file has.

Its options are checked where torch is not loaded, so a file imports torch where it builds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pipeline.core import registry

if TYPE_CHECKING:
    from torch import nn

FOLDER = "models/fusion"


class FusionKind(Protocol):
    """A kind of fusion.

    Attributes
    ----------
    LEVEL:
        What it joins: `tokens` of towers; `sequences` of such, over which it attends; `decisions`,
        with one head per set and task that learns by its own loss; or `features`, before any tower.
    Options:
        A `pipeline.core.options.Options`.
    """

    LEVEL: str
    Options: Any

    def check(self, sets: int, width: int, options: Any) -> None:
        """ValueError for what the fusion cannot do."""

    def build(self, sets: Any, width: Any, options: Any, /) -> nn.Module:
        """The network, whose annotations of `forward` state the shapes, for tests to check.

        Of tokens it is built with how many `sets` there are and with their `width`. Called with
        tokens, float (n, sets, width), and present, bool (n, sets), it gives float (n, its `width`)
        to the heads. If it has weights, `set_weights(tokens, present)` says how much each set
        counts, float (n, sets). If it keeps tokens apart, `fused_tokens(tokens, present)` gives
        them to heads that read sequences, float (n, k, `width`), and which are absent, bool (n, k).

        Of sequences it is built with the greatest length of each set, 1 where it is one token, and
        with their width. Called with a `TokenSequence` of `models/sequences.py` for each set and
        with present, it gives and has the same. What does not count, of padding or of an absent
        set, has no influence.

        Of decisions it is built with the number of sets and a list with the number of classes of
        each task. Called with a task's number, logits, float (n, sets, classes), as they are, and
        present it gives log-probabilities (n, classes); `set_weights(task, present)` likewise.

        Of features it is built with the width of each set and the options of the tower to put on
        top; called with a list of features (n, its set's width) and present it gives (n, `width`).

        A row's result is finite for any subset of present sets, the empty one too, and does not
        depend on what stands in absent ones.
        """


def fusion_of(name: str) -> FusionKind:
    """The fusion of that name."""
    return registry.load(FOLDER, name, FusionKind)
