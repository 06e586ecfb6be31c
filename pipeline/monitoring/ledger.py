"""Looks at test sets: the record by which a gate knows what it has spent.

Nights keep the looks in git, in their order. They are plain values; everything that the gate
remembers is computed from them.

Two kinds of test set are looked at, and each allows another guarantee:

**Frozen components** are the same every night, and meet a new challenger each time. Nothing is
sequential about them: a later look brings no new observation, it asks the old ones about another
model. What keeps the guarantee is the number of questions. Let the model in use be promoted when an
e-value reaches 1/level, and let the levels of all *possible* questions sum to the error. A possible
question is a history of promotions: with a model in use from the start, its r-th night with a look
is at level ½ s(r) of the error (`spending.series`); if it promoted, all that follow share the other
½ s(r). So the
levels along all histories sum to the error, and the chance of ever promoting a model that is no
better is at most that, as long as challengers depend on the frozen set through promotions alone. It
is the union bound behind the Ladder (Blum & Hardt 2015, "The Ladder: a reliable leaderboard for
machine learning competitions", arXiv:1502.04585) and behind reusable holdouts (Dwork et al. 2015,
Science 349). Nightly retraining depends on nothing else. A person who tunes by the frozen set's
figures breaks it, and then only the other kind of evidence holds.

**Fresh components** landed after the models that answer them were trained, so that nobody can have
fitted anything to them. These are sequential: each is a new observation, of which the gain is
predicted by the past alone. The evidence is one e-process over nights, though the challenger is
another each night, against the claim that no challenger of the stream was better than the model in
use when it was asked. A stream ends when the model in use or the recipe changes; the k-th may spend
s(k) of the error, whatever its length (Ville's inequality, from each stream's start on).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from pipeline.monitoring.evidence import Evidence
from pipeline.monitoring.spending import series

Claim = Literal["better", "not_worse"]
FROZEN: Literal["frozen"] = "frozen"
FRESH: Literal["fresh"] = "fresh"


@dataclass(frozen=True)
class Look:
    """One question to a test set.

    Attributes
    ----------
    night:
        The run that looked.
    kind:
        `frozen` or `fresh`.
    claim:
        `better`: the challenger gains more than 0; `not_worse`: it loses less than the tolerance.
    test_set:
        The name of the frozen components; of fresh ones the recipe that makes the challengers.
    champion, challenger:
        What names the models for good, such as their digests.
    components:
        That were read: of a frozen set all, of fresh ones those of this night.
    gain:
        Mean over them, as a share.
    e_value, level:
        The claim is taken as shown where e_value · level ≥ 1.
    log_wealth, observations, total:
        Of a stream of fresh components: see `Evidence`.
    """

    night: str
    kind: Literal["frozen", "fresh"]
    claim: Claim
    test_set: str
    champion: str
    challenger: str
    components: int
    gain: float
    e_value: float
    level: float
    log_wealth: tuple[float, ...] = ()
    observations: int = 0
    total: float = 0.0

    @property
    def shown(self) -> bool:
        """Whether the evidence suffices."""
        return self.e_value * self.level >= 1


def frozen_level(looks: Sequence[Look], test_set: str, champion: str, error: float) -> float:
    """What tonight's look at a frozen set may spend on a claim, of an error for all nights.

    Looks of both claims count, as either may have made the champion.

    Sets that share a component with one that was looked at must not be called by another name, or
    the error is spent anew.
    """
    of_set = [look for look in looks if (look.kind, look.test_set) == (FROZEN, test_set)]
    reigns = [
        (name, len({look.night for look in group}))
        for name, group in groupby(of_set, lambda look: look.champion)
    ]
    standing = reigns.pop()[1] if reigns and reigns[-1][0] == champion else 0
    for _, nights in reigns:
        error *= series(nights) / 2
    return error * series(standing + 1) / 2


def fresh_level(
    looks: Sequence[Look], recipe: str, champion: str, claim: Claim, error: float
) -> tuple[float, Evidence]:
    """The level of a stream of fresh components, and the evidence that it has gathered so far."""
    of_claim = [look for look in looks if (look.kind, look.claim) == (FRESH, claim)]
    streams = [
        (key, [*group])
        for key, group in groupby(of_claim, lambda look: (look.champion, look.test_set))
    ]
    if streams and streams[-1][0] == (champion, recipe):
        last = streams[-1][1][-1]
        return error * series(len(streams)), Evidence(
            tuple(last.log_wealth), last.observations, last.total
        )
    return error * series(len(streams) + 1), Evidence()
