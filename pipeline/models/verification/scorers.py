"""Likeness of enrolled samples and a probe: cosine, PLDA, logistic regression on pairs.

A scorer is its arrays, so that it is saved as it stands. `embed` maps vectors, (n, D), to where
they are compared; `score` takes the mean of the enrolled ones, (t, d), how many they are, (t,), and
the probe, (t, d). More is more alike; a score is no probability before it is calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from pipeline.models.verification.options import Method
from pipeline.models.verification.people import People
from pipeline.models.verification.projection import Projection, fit_projection, unit
from pipeline.models.verification.trials import draw_trials

Arrays = dict[str, np.ndarray]


class Scorer(Protocol):
    """What every method has."""

    @classmethod
    def fit(cls, vectors: np.ndarray, people: People, dimensions: int, seed: int) -> Self:
        """From the vectors, (n, D), of samples of train people."""

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """From what `arrays` gave."""

    def arrays(self) -> Arrays: ...

    def embed(self, vectors: np.ndarray) -> np.ndarray: ...

    def score(self, mean: np.ndarray, count: np.ndarray, probe: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Cosine:
    """The cosine of vectors as they stand; nothing is learnt."""

    @classmethod
    def fit(cls, vectors: np.ndarray, people: People, dimensions: int, seed: int) -> Self:
        return cls()

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls()

    def arrays(self) -> Arrays:
        return {}

    def embed(self, vectors: np.ndarray) -> np.ndarray:
        return unit(vectors)

    def score(self, mean: np.ndarray, count: np.ndarray, probe: np.ndarray) -> np.ndarray:
        cosines: np.ndarray = (unit(mean) * probe).sum(1)
        return cosines


@dataclass(frozen=True)
class Plda:
    """Two Gaussians: people around the mean, and samples around their person.

    Probabilistic linear discriminant analysis in the two-covariance form (Ioffe, ECCV 2006; Brümmer
    & de Villiers, Odyssey 2010). In axes in which the covariance within people is the identity and
    that between them diagonal, psi, the log-likelihood ratio of k enrolled samples of mean m and a
    probe x is a sum over axes:

        log N(x; k psi m / (k psi + 1), 1 + psi / (k psi + 1)) - log N(x; 0, 1 + psi)

    Both covariances are moments, each person counting alike; an axis on which people do not differ
    beyond their samples' noise has psi 0 and says nothing.
    """

    projection: Projection
    mean: np.ndarray
    axes: np.ndarray
    psi: np.ndarray

    @classmethod
    def fit(cls, vectors: np.ndarray, people: People, dimensions: int, seed: int) -> Self:
        projection = fit_projection(vectors, dimensions)
        values = projection(vectors)
        _, person, counts = np.unique(people.person, return_inverse=True, return_counts=True)
        centres = np.zeros((len(counts), values.shape[1]))
        np.add.at(centres, person, values)
        centres /= counts[:, None]
        apart = values - centres[person]
        # Each person's own covariance, unbiased; who has one sample says nothing of it.
        weight = 1 / ((counts - 1).clip(1)[person] * max((counts > 1).sum(), 1))
        within = (apart * weight[:, None]).T @ apart
        within += 1e-6 * np.trace(within) / len(within) * np.eye(len(within))
        mean = centres.mean(0)
        between = np.cov(centres, rowvar=False).reshape(within.shape) - within * (1 / counts).mean()
        spread, turn = np.linalg.eigh(within)
        white = turn / np.sqrt(spread)
        psi, turn = np.linalg.eigh(white.T @ between @ white)
        return cls(projection, mean, white @ turn, psi.clip(0))

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        projection = Projection(arrays["projection.centre"], arrays["projection.axes"])
        return cls(projection, arrays["mean"], arrays["axes"], arrays["psi"])

    def arrays(self) -> Arrays:
        return {
            "projection.centre": self.projection.centre,
            "projection.axes": self.projection.axes,
            "mean": self.mean,
            "axes": self.axes,
            "psi": self.psi,
        }

    def embed(self, vectors: np.ndarray) -> np.ndarray:
        embedded: np.ndarray = (self.projection(vectors) - self.mean) @ self.axes
        return embedded

    def score(self, mean: np.ndarray, count: np.ndarray, probe: np.ndarray) -> np.ndarray:
        known = count[:, None] * self.psi
        expected = known / (known + 1) * mean
        spread, alone = 1 + self.psi / (known + 1), 1 + self.psi
        ratio = np.log(alone) - np.log(spread) + probe**2 / alone - (probe - expected) ** 2 / spread
        ratios: np.ndarray = ratio.sum(1) / 2
        return ratios


@dataclass(frozen=True)
class PairLogistic:
    """Logistic regression on how a pair differs, |m - x|, and agrees, m x, on each axis."""

    projection: Projection
    weights: np.ndarray

    @classmethod
    def fit(cls, vectors: np.ndarray, people: People, dimensions: int, seed: int) -> Self:
        from sklearn.linear_model import LogisticRegression

        projection = fit_projection(vectors, dimensions)
        values = projection(vectors)
        pairs = draw_trials(people, np.zeros(len(values), np.int64), 1, 4, seed)
        features = _of_pairs(values[pairs.enrolled[:, 0]], values[pairs.probe])
        if pairs.same.all() or not pairs.same.any():  # nobody here has two samples
            return cls(projection, np.zeros(features.shape[1]))
        model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000)
        return cls(projection, model.fit(features, pairs.same).coef_[0])

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        projection = Projection(arrays["projection.centre"], arrays["projection.axes"])
        return cls(projection, arrays["weights"])

    def arrays(self) -> Arrays:
        return {
            "projection.centre": self.projection.centre,
            "projection.axes": self.projection.axes,
            "weights": self.weights,
        }

    def embed(self, vectors: np.ndarray) -> np.ndarray:
        return self.projection(vectors)

    def score(self, mean: np.ndarray, count: np.ndarray, probe: np.ndarray) -> np.ndarray:
        scores: np.ndarray = _of_pairs(mean, probe) @ self.weights
        return scores


SCORERS: Mapping[Method, type[Scorer]] = {
    "cosine": Cosine,
    "plda": Plda,
    "logistic": PairLogistic,
}


def _of_pairs(mean: np.ndarray, probe: np.ndarray) -> np.ndarray:
    return np.hstack([np.abs(mean - probe), mean * probe])
