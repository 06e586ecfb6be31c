"""How often the gate would promote, by luck and rightly: `python -m benchmarks.gate_nights`.

Statistics alone; nothing is trained. It prints the tables of docs/monitoring.md.

A share of the components is contested: there a challenger and the model in use may differ. Each of
these has a lean of its own, from Beta(½, ½), which all challengers of a recipe share, so that a
frozen set that is lucky for one of them is lucky for all that follow: the hardest case for a gate
that asks it every night. Fresh components are answered by the challenger of the night before, so
that the first night has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.randomness import generator
from pipeline.monitoring.evidence import FRACTIONS, log_mean_exp
from pipeline.monitoring.options import GateOptions
from pipeline.monitoring.spending import series

GAIN = 0.03
BY = (1, 7, 30, 90, 365)


def main() -> None:
    options = GateOptions()
    lone = options.model_copy(update={"fresh_share": 0.0})
    print("| 400 nights without a gain | this gate | p < 0.05 each night |\n|---|---|---|")
    for frozen in (100, 400, 1200):
        world = Nights(frozen=frozen, validation=frozen)
        lucky, fooled = (
            (nights > 0).mean()
            for nights in (
                nights_to_promotion(world, options, 2000, seed=0),
                nights_to_naive_promotion(world, 500, seed=0),
            )
        )
        print(f"| {frozen:,} frozen components, 20 fresh a night | {lucky:.1%} | {fooled:.0%} |")
    print(
        f"\n| +3 points, promoted by night | {' | '.join(map(str, BY))} |\n|---|{'---|' * len(BY)}"
    )
    for frozen, fresh in (
        (400, 0),
        (400, 20),
        (400, 60),
        (1200, 0),
        (1200, 20),
        (1200, 60),
        (3000, 0),
    ):
        world = Nights(frozen=frozen, validation=frozen, fresh=fresh, gain=GAIN)
        night = nights_to_promotion(world, options if fresh else lone, 500, seed=0)
        shares = (((night > 0) & (night <= by)).mean() for by in BY)
        landing = f"{fresh} fresh a night" if fresh else "none fresh (`fresh_share: 0`)"
        print(f"| {frozen:,} frozen, {landing} | {' | '.join(f'{s:.0%}' for s in shares)} |")


@dataclass(frozen=True)
class Nights:
    """What is simulated: `gain` is the challengers' true gain, as a share, at most `contested`."""

    nights: int = 400
    frozen: int = 400
    validation: int = 400
    fresh: int = 20
    contested: float = 0.1
    gain: float = 0.0


def nights_to_promotion(
    world: Nights, options: GateOptions, repetitions: int, seed: int
) -> np.ndarray:
    """The night of the first promotion of each repetition, int (repetitions,), 0 where none is.

    By the same rules as `gate.decide` for a challenger of one recipe, components of one sample and
    classes of one weight; tests hold the two to each other.
    """
    rng = generator(seed, "nights", repetitions)
    frozen = _outcomes(rng, world, world.frozen, repetitions)
    validation = _outcomes(rng, world, world.validation, repetitions)
    gain = _mean(frozen, world.frozen)
    asked = _mean(validation, world.validation) >= options.margin
    share = options.fresh_share
    levels = np.array([series(look) / 2 for look in range(1, world.nights + 1)])
    level = options.error * (1 - share) * levels[asked.cumsum(1) - 1]
    with np.errstate(divide="ignore"):
        sufficient = asked & (_log_evidence(frozen) >= -np.log(level))
        needed = -np.log(options.error * share * series(1))
    fresh = _outcomes(rng, world, world.fresh, repetitions, lasting=False)
    fresh[:, 0] = 0
    fresh = fresh.cumsum(1)
    promotes = (sufficient | (_log_evidence(fresh) >= needed)) & (gain >= options.margin)
    return np.where(promotes.any(1), promotes.argmax(1) + 1, 0)


def nights_to_naive_promotion(world: Nights, repetitions: int, seed: int) -> np.ndarray:
    """The same of a gate that promotes at p < 0.05 of a one-sided test, whatever the night."""
    rng = generator(seed, "nights", repetitions)
    frozen = _outcomes(rng, world, world.frozen, repetitions)
    spread = np.sqrt(frozen.sum(-1) - (frozen[..., 0] - frozen[..., 1]) ** 2 / world.frozen)
    promotes = frozen[..., 0] - frozen[..., 1] > 1.645 * np.maximum(spread, 1e-9)
    return np.where(promotes.any(1), promotes.argmax(1) + 1, 0)


def _outcomes(
    rng: np.random.Generator,
    world: Nights,
    components: int,
    repetitions: int,
    lasting: bool = True,
) -> np.ndarray:
    """How many components the challenger alone, and the champion alone, has right.

    int (repetitions, nights, 2). lasting: the components are the same each night.
    """
    nights = world.nights
    if not lasting:
        contested = rng.binomial(components, world.contested, (repetitions, nights))
        won = rng.binomial(contested, _won_share(world))
        return np.stack([won, contested - won], -1)
    won = np.zeros((repetitions, nights), np.int64)
    size = rng.binomial(components, world.contested, repetitions)
    share = _won_share(world)
    for repetition, contested in enumerate(size):
        leans = rng.beta(share, 1 - share, contested)
        # A lean holds for all nights; which way it falls on one of them is a coin of that weight.
        won[repetition] = (rng.random((nights, contested)) < leans).sum(1)
    return np.stack([won, size[:, None] - won], -1)


def _won_share(world: Nights) -> float:
    return (1 + world.gain / world.contested) / 2


def _mean(outcomes: np.ndarray, components: int) -> np.ndarray:
    gained: np.ndarray = (outcomes[..., 0] - outcomes[..., 1]) / components
    return gained


def _log_evidence(outcomes: np.ndarray) -> np.ndarray:
    """Logarithm of `Evidence.value` of so many gains of 1 and -1."""
    return log_mean_exp(outcomes @ np.log1p([FRACTIONS, -FRACTIONS]))


if __name__ == "__main__":
    main()
