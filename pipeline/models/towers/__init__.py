"""Networks that read one feature set, one file per kind: `TowerKind` is what a file has.

Its options are checked where torch is not loaded, so a file imports torch where it builds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import nn

FOLDER = "models/towers"


class TowerKind(Protocol):
    """A kind of tower.

    Attributes
    ----------
    IDS:
        Whether it takes ids of words; what it takes otherwise comes standardised.
    Options:
        A `TowerOptions`.
    """

    IDS: bool
    Options: Any

    def check(self, shape: tuple[int, ...], options: Any) -> None:
        """ValueError, saying what the kind takes, if rows of that shape are not it."""

    def build(self, shape: tuple[int, ...], options: Any) -> nn.Module:
        """The network for rows of shape (D,) or (frames, bands).

        Called with values, float (n, *shape), in which frames from lengths on are zeros, and with
        lengths (n,), it gives float (n, options.width). A row's token depends on that row alone and
        is finite, for length 0 too. Annotations of `forward` state the shapes, for tests to check.

        One of frames may keep them apart: it then has `step`, and `frames`, which is called as it
        is and gives a token for each `step` frames, the first of them its middle, float
        (n, ⌈frames / step⌉, width). Of a row of one frame that is the token of the whole row, but
        for kinds that read the whole elsewhere, such as `transformer` at a learned token.

        It may have `pool(mean, deviation)`, which changes the statistics (bands,) that its values
        are standardised by. One of ids has `fit(ids, count)`: it is told once which ids there are
        in training, and how often. One that others have trained has `load_pretrained()`, called
        before it is trained on, and options that are `PRETRAINED`.
        """
