"""Whether raw samples are of enrolled people, by a verifier of a project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.digest import digest_file
from pipeline.core.files.documents import document
from pipeline.core.folders import CLEAN, VERIFICATION
from pipeline.inference.sample_encoder import Feature, SampleEncoder
from pipeline.inference.samples import Sample
from pipeline.models.feature_compatibility import check_features
from pipeline.models.verification.people import People, pooled
from pipeline.models.verification.trials import Trials
from pipeline.models.verification.verifier import ARRAYS, CARD, Verifier, load_verifier
from pipeline.params import Params, load, parse
from pipeline.parts import artifact, manifest
from pipeline.store.trees.opening import open_tree

Features = Mapping[str, Feature]  # by feature set
Enrolment = Mapping[str, Sequence[Features]]  # person → what each sample gave
Refusal = tuple[str | None, str, str, str]  # modality, stage, reason, message


@dataclass(frozen=True)
class Answer:
    """Whether a sample is of a person.

    Parameters
    ----------
    llr:
        Natural logarithm of how much likelier the sample is if it is the person's than if it is
        another's; None where nothing was left to compare.
    same:
        Whether that reaches the verifier's threshold.
    enrolled:
        Samples that the person was known by.
    refused:
        What of the sample was refused, and why.
    """

    sample_id: str
    person: str
    llr: float | None
    same: bool | None
    enrolled: int
    refused: tuple[Refusal, ...]


class RawVerifier:
    """Enrols people and answers for new samples, by the work of the stages clean and extract."""

    def __init__(self, verifier: Verifier, params: Params, encoder: SampleEncoder) -> None:
        self.verifier, self.params, self._encoder = verifier, params, encoder

    @classmethod
    def load(cls, root: str | Path, name: str, revision: str | None = None) -> Self:
        """A verifier of a project, by its name under `verification` in params.yaml.

        Parameters
        ----------
        revision:
            A git revision, whose files are read from DVC's cache or fetched from its remote,
            without touching the work tree. None: the work tree.

        Raises
        ------
        PipelineError
            There is none of that name or no such revision, it is not made yet, its files are not
            those that were written, or this code makes other features than those that it was
            taught by.
        """
        tree = open_tree(Path(root), revision)
        if revision is None:
            params = load(Path(root, "params.yaml"))
        else:
            params = parse(tree.params, f"params.yaml of {tree.name}")
        if name not in params.verification:
            raise PipelineError(unknown("verification", name, params.verification))
        folder = f"{VERIFICATION}/{name}"
        written = document(tree.file(f"{folder}/{artifact.MANIFEST}"), artifact.Manifest)
        paths = {file: tree.file(f"{folder}/{file}") for file in (CARD, ARRAYS)}
        for file, path in paths.items():
            if digest_file(path, "md5") != written.files[file]:
                raise PipelineError(
                    f"{path} is not the file that the stage wrote: `dvc checkout --force` brings "
                    f"it back, `dvc repro trials@{name}` makes it anew"
                )
        verifier = load_verifier(paths[CARD], paths[ARRAYS])
        encoder = SampleEncoder(params, verifier.options.features)
        cleaned = {}
        for modality in encoder.modalities:
            path = tree.file(f"{CLEAN}/{modality}/{manifest.MANIFEST}")
            cleaned[f"{CLEAN}/{modality}"] = document(path, manifest.Manifest).function
        check_features(name, {**verifier.made_by, **cleaned}, encoder.functions, "trials")
        return cls(verifier, params, encoder)

    def enrol(self, people: Mapping[str, Iterable[Sample]]) -> Enrolment:
        """What people are known by.

        Raises
        ------
        PipelineError
            Of a person nothing is left: each sample was refused, of which the message says why.
        """
        known: dict[str, list[Features]] = {}
        for person, samples in people.items():
            encoded = [self._encode(sample) for sample in samples]
            known[person] = [features for features, _ in encoded if features]
            if not known[person]:
                reasons = [f"{why[2]}: {why[3]}" for _, refused in encoded for why in refused]
                listed = "; ".join(dict.fromkeys(reasons)) or "no samples were given"
                raise PipelineError(f"nothing is left to know {person} by: {listed}")
        return known

    def answer(self, enrolment: Enrolment, samples: Iterable[Sample]) -> Iterator[Answer]:
        """Of each sample and each person that was enrolled, whether it is they."""
        for sample in samples:
            features, refused = self._encode(sample)
            for person, known in enrolment.items():
                llr = self._llr(known, features) if features else None
                same = None if llr is None else llr >= self.verifier.options.threshold
                yield Answer(sample.sample_id, person, llr, same, len(known), tuple(refused))

    def _llr(self, known: Sequence[Features], probe: Features) -> float | None:
        rows = [*known, probe]
        count = len(known)
        people = People(
            sample_ids=[""] * len(rows),
            names=[""],
            person=np.zeros(len(rows), np.int64),
            circle=np.zeros(len(rows), np.int64),
            content=np.full(len(rows), ""),
            vectors={name: self._vectors(name, rows) for name in self.verifier.options.features},
            present={
                name: np.array([name in row for row in rows])
                for name in self.verifier.options.features
            },
            left_out={},
        )
        trial = Trials(
            enrolled=np.arange(count)[None],
            probe=np.array([count]),
            same=np.array([False]),
            same_content=np.array([False]),
            fold=np.array([0]),
        )
        (llr,) = self.verifier.llr(people, trial).tolist()
        return None if np.isnan(llr) else llr

    def _vectors(self, name: str, rows: Sequence[Features]) -> np.ndarray:
        """Of each row, float32 (n, D); zeros where it has none."""
        blank = np.zeros_like(next((row[name][0] for row in rows if name in row), np.zeros(1)))
        values, lengths = zip(*(row.get(name, (blank, 0)) for row in rows), strict=True)
        return pooled(np.stack(values), np.array(lengths))

    def _encode(self, sample: Sample) -> tuple[Features, list[Refusal]]:
        """Features of what a sample has, and what of it was refused."""
        values, _, refusals = self._encoder.encode([sample])
        features = {name: rows[0] for name, rows in values.items() if rows[0] is not None}
        refused = [(r.modality, r.stage, r.why.reason, r.why.message) for r in refusals[0]]
        if not features and not refused:
            reads = ", ".join(self._encoder.modalities)
            refused.append((None, "predict", "no_modality", f"the verifier reads {reads}"))
        return features, refused
