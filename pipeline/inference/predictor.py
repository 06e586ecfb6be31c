"""A trained model and all that leads to it from raw inputs, loaded once and asked often."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from pipeline.core.errors import PipelineError, Rejected, unknown
from pipeline.core.files.digest import digest_json
from pipeline.core.registry import load
from pipeline.inference.sample_encoder import Refusal, SampleEncoder
from pipeline.inference.samples import Sample
from pipeline.models.answer_table import REFUSAL, answer_schema, answer_table, unlabelled
from pipeline.models.tasks import FOLDER, Generative, task_of
from pipeline.params import Params, parse
from pipeline.project.model_files import ModelFiles, find_model, open_model

if TYPE_CHECKING:
    from pipeline.models.saving import TrainedModel

# Samples that go through the encoders and the network together, a bound on memory.
BATCH = 64
TEXT = pa.string()
BY_NAME = pa.map_(TEXT, TEXT)
REJECTS = pa.schema([("sample_id", TEXT), *REFUSAL, ("digest", TEXT)])


@dataclass(frozen=True)
class Lineage:
    """What answers come from, beside their inputs.

    `model` and `digest` are its name and that of its files, `features` maps each set to the digest
    of the function that makes it, `revision` is the commit that all is of.
    """

    model: str
    digest: str
    features: Mapping[str, str]
    revision: str


class Predictions(NamedTuple):
    """`answers` has a row for every sample, in their order: see `Predictor.schema`.

    `rejects` has one for each content or sample that was refused: sample_id, modality (null of a
    sample as a whole), stage, reason, message, and the digest of the bytes, empty if none were
    read.
    """

    answers: pa.Table
    rejects: pa.Table


class Predictor:
    """Answers for raw inputs by the code of the stages clean and extract, and a trained model.

    Threads may share one. Encoders are loaded when a sample first needs them.
    """

    def __init__(
        self,
        model: TrainedModel,
        params: Params,
        encoder: SampleEncoder,
        lineage: Lineage,
    ) -> None:
        self.model, self.params, self.lineage = model, params, lineage
        self._encoder = encoder
        self._lock = threading.Lock()

    @classmethod
    def load(cls, root: str | Path, model: str, revision: str | None = None) -> Self:
        """A model of a project.

        Parameters
        ----------
        root:
            The project's folder, where params.yaml and data/ lie.
        model:
            Its name in params.yaml, or an alias of aliases.yaml, such as `champion`.
        revision:
            A git revision, whose files are read from DVC's cache or fetched from its remote,
            without touching the work tree. None: the work tree, or what the alias says.

        Raises
        ------
        PipelineError
            There is no such model or revision, its files are not those that training wrote, or
            this code makes other features than those that it was trained on: what differs.
        """
        return cls.of(find_model(Path(root), model, revision))

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """A model from a folder that was handed over; raises what `load` does."""
        return cls.of(open_model(Path(folder)))

    @classmethod
    def of(cls, files: ModelFiles) -> Self:
        """A model that was found; raises what `load` does."""
        from pipeline.models.saving import load_model

        files.hold()
        about = files.about
        if not files.options.tasks:
            raise PipelineError(
                f"model '{about.model}' has no tasks to answer: it aligns modalities. `pipeline "
                f"freeze {about.model}` says how its space becomes feature sets, which "
                "`pipeline store search` asks with words or files"
            )
        params = parse(about.params, f"params.yaml of model '{about.model}'")
        encoder = SampleEncoder(params, about.features)
        functions = encoder.functions
        files.check(functions)
        with files.folder() as folder:
            trained = load_model(folder)
        digests = {name: digest_json(dict(functions[name])) for name in about.features}
        lineage = Lineage(about.model, about.digest, digests, about.revision)
        return cls(trained, params, encoder, lineage)

    @property
    def modalities(self) -> list[str]:
        """Those that the model reads, sorted."""
        return self._encoder.modalities

    def schema(self, tasks: Sequence[str] | None = None, explain: bool = False) -> pa.Schema:
        """sample_id; the columns of `models.answer_table`; refused, inputs; the lineage.

        `present` names the modalities that the answer was made from, `refused` says of the others
        why, `inputs` is by modality the SHA-256 of the bytes. An answer is null where nothing of
        the sample was left to see.
        """
        options = {task: self.model.options.tasks[task] for task in self._chosen(tasks)}
        return pa.schema(
            [
                pa.field("sample_id", TEXT, nullable=False),
                *answer_schema(options, explain),
                ("refused", pa.list_(REFUSAL)),
                ("inputs", BY_NAME),
                ("model", TEXT),
                ("model_digest", TEXT),
                ("features", BY_NAME),
                ("revision", TEXT),
            ]
        )

    def predict(
        self,
        samples: Iterable[Sample],
        tasks: Sequence[str] | None = None,
        top: int | None = None,
        explain: bool = False,
        given: Mapping[str, str] | None = None,
    ) -> Predictions:
        """Answer for some samples: see `stream`."""
        schema = self.schema(tasks, explain)
        answered = list(self.stream(samples, tasks, top, explain, given))
        return Predictions(
            pa.concat_tables([schema.empty_table(), *(each.answers for each in answered)]),
            pa.concat_tables([REJECTS.empty_table(), *(each.rejects for each in answered)]),
        )

    def stream(
        self,
        samples: Iterable[Sample],
        tasks: Sequence[str] | None = None,
        top: int | None = None,
        explain: bool = False,
        given: Mapping[str, str] | None = None,
    ) -> Iterator[Predictions]:
        """Answer for samples as they come, BATCH of them in memory at a time.

        Parameters
        ----------
        tasks:
            Of the model's, those that are asked for; None: all.
        top:
            Tell the probabilities of so many classes, the most probable first; None: of all.
        explain:
            Also tell what each modality gave to the answer: see `models.answer_table`.
        given:
            By task that answers with a text, what its decoder is told, such as a language.

        Raises
        ------
        PipelineError
            The model has no such task, cannot be told so, or the machine fell short.
        """
        chosen, begun = self._chosen(tasks), self._begun(given or {})
        iterator = iter(samples)
        while batch := list(islice(iterator, BATCH)):
            yield self._answer(batch, chosen, top, explain, begun)

    def _begun(self, given: Mapping[str, str]) -> dict[str, int]:
        """By task the class that its decoder is told."""
        begun = {}
        for task, value in given.items():
            (chosen,) = self._chosen([task])
            kind = self.model.options.tasks[chosen].kind
            if not task_of(kind).SEQUENCE:
                raise PipelineError(f"task '{task}' answers with no text: it can be told nothing")
            begun[task] = load(FOLDER, kind, Generative).begin(value, self.model.classes[task])
        return begun

    def _chosen(self, tasks: Sequence[str] | None) -> list[str]:
        known = list(self.model.classes)
        for task in tasks or ():
            if task not in known:
                raise PipelineError(unknown(f"task of model '{self.lineage.model}'", task, known))
        return known if tasks is None else list(tasks)

    def _answer(
        self,
        samples: Sequence[Sample],
        tasks: Sequence[str],
        top: int | None,
        explain: bool,
        told: Mapping[str, int],
    ) -> Predictions:
        values, inputs, refusals = self._encoder.encode(samples)
        examples = unlabelled(self.model.sets, values)
        begun = {task: np.full((len(samples), 1), place) for task, place in told.items()}
        examples = replace(examples, targets=begun)
        for row in np.flatnonzero(~examples.seen).tolist():
            if not samples[row].refused:
                refusals[row].append(Refusal(None, "predict", self._nothing_seen(samples[row])))
        with self._lock, _one_thread():
            answers = answer_table(self.model, examples, tasks, top, explain)
        lineage = self.lineage
        count = len(samples)
        columns = {name: answers[name] for name in answers.column_names} | {
            "sample_id": [sample.sample_id for sample in samples],
            "refused": [
                [(r.modality, r.stage, r.why.reason, r.why.message) for r in refused]
                for refused in refusals
            ],
            "inputs": [sorted(digests.items()) for digests in inputs],
            "model": [lineage.model] * count,
            "model_digest": [lineage.digest] * count,
            "features": [list(lineage.features.items())] * count,
            "revision": [lineage.revision] * count,
        }
        schema = self.schema(tasks, explain)
        rejects = [
            (sample.sample_id, r.modality, r.stage, r.why.reason, r.why.message, r.digest)
            for sample, refused in zip(samples, refusals, strict=True)
            for r in refused
        ]
        named = [dict(zip(REJECTS.names, reject, strict=True)) for reject in rejects]
        return Predictions(
            pa.table([_column(columns[field.name], field) for field in schema], schema=schema),
            pa.Table.from_pylist(named, schema=REJECTS),
        )

    def _nothing_seen(self, sample: Sample) -> Rejected:
        reads = f"the model '{self.lineage.model}' reads {', '.join(self.modalities)}"
        modalities = sorted(sample.contents)
        if not modalities:
            return Rejected("no_modality", f"{reads}, and the sample has nothing")
        if not set(modalities) & set(self.modalities):
            return Rejected(
                "no_modality", f"{reads}, and the sample has {', '.join(modalities)} alone"
            )
        return Rejected("no_modality", f"{reads}, and all that the sample has of it was refused")


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of torch's, where the model brought it along: sums of several add up otherwise.

    What torch is told is told to the whole process, so that nobody else may compute meanwhile.
    """
    torch: Any = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 1
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _column(values: Any, field: pa.Field) -> Any:
    return values if isinstance(values, pa.ChunkedArray) else pa.array(values, field.type)
