"""What a params.yaml holds, once it is checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from pipeline.core.options import Options
from pipeline.curation.options import CurationOptions
from pipeline.execution.options import ExecutionOptions
from pipeline.models.comparison.options import ComparisonOptions as ComparisonOptions
from pipeline.models.compression.options import CompressionOptions
from pipeline.models.evaluation.options import EvaluationOptions
from pipeline.models.options import ModelOptions
from pipeline.models.tasks import Kind
from pipeline.models.verification.options import VerificationOptions
from pipeline.monitoring.options import Contract, MonitoringOptions
from pipeline.raw.request import DownloadOptions
from pipeline.reporting.options import ReportOptions as ReportOptions
from pipeline.store.format.layout import Dtype, Profile

# Keys of a query that hold one, such as client_secret of Azure.
SECRET = re.compile(r"(secret|password|token|key)[^&=]*=", re.IGNORECASE)


class PartsOptions(Options):
    """How tables are cut into parts. Other cuts are other parts with the same rows."""

    mean_rows: int = Field(256, ge=1, description="mean number of rows of a part")
    max_bytes: int = Field(
        64 * 2**20, ge=2**10, description="bytes that the rows of a part may take, at most"
    )


class TargetOptions(Options):
    """What kind of quantity a target is."""

    kind: Kind


class RejectLimit(Options):
    """The share of its rows that a stage may refuse before it fails."""

    reject_limit: float = Field(0.05, ge=0, le=1)


class IngestOptions(RejectLimit):
    """What may be missing of the raw batches before the stage fails."""

    optional: tuple[str, ...] = Field((), description="modalities that may be without any asset")
    unused_limit: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of a batch's files of one modality that no sample may use",
    )


class PredictOptions(Options):
    """A source that a model answers for, and that nothing is learnt from."""

    source: str = Field(description="name of a source")
    model: str = Field("champion", description="a model, or an alias of aliases.yaml")


class SourceRoot(Options):
    """Where the batches of a source lie, if not in data/raw/<source>."""

    root: str | None = Field(None, description="URI that pyarrow opens, such as s3://bucket/photos")

    @field_validator("root")
    @classmethod
    def _is_uri_without_secrets(cls, root: str | None) -> str | None:
        if root is None:
            return None
        parts = urlsplit(root)
        if not parts.scheme or not parts.path.strip("/") + parts.netloc:
            raise ValueError("give a URI, such as s3://bucket/photos or file:///mnt/photos")
        # The file is versioned, and dvc.lock repeats it.
        if parts.password is not None or SECRET.search(parts.query):
            raise ValueError("params.yaml is no place for a password: give it by the environment")
        return root


class FeatureNames(RejectLimit):
    """A feature set: what one encoder makes of one modality."""

    modality: str
    encoder: str
    dtype: Dtype = Field("float32", description="float32 | float16: half the bytes, 3 digits")
    profile: Profile = Field("mapped", description="mapped: read at once | archive: compressed")


class HandoverOptions(Options):
    """What the cards of a packaged model say that no run can know: texts in Markdown.

    What is blank is said to be open.
    """

    provider: str = Field("", description="who answers for the model, and how they are reached")
    intended_use: str = Field("", description="what the model is for, and for whom")
    out_of_scope: str = Field("", description="what it must not be used for")
    oversight: str = Field("", description="how people watch over its answers")
    licence: str = Field("", description="of the trained weights, as SPDX names it")
    licences: dict[str, str] = Field(
        {}, description="feature set → licence of its weights, where these do not say it themselves"
    )


@dataclass(frozen=True)
class CleanSection:
    options: Options
    reject_limit: float


@dataclass(frozen=True)
class SourceSection:
    kind: str
    options: Options
    root: str | None = None


@dataclass(frozen=True)
class FeatureSection:
    modality: str
    encoder: str
    options: Options
    reject_limit: float
    dtype: Dtype = "float32"
    profile: Profile = "mapped"


@dataclass(frozen=True)
class Params:
    """Every option of a run; a stage takes from it what its key needs, and no more."""

    seed: int
    instructions: str
    parts: PartsOptions
    sources: dict[str, SourceSection]
    fetch: dict[str, Options]
    look: tuple[str, ...]
    download: dict[str, DownloadOptions]
    modalities: tuple[str, ...]
    targets: dict[str, str]
    ingest: IngestOptions
    clean: dict[str, CleanSection]
    augment: dict[str, Any]
    features: dict[str, FeatureSection]
    curate: CurationOptions
    models: dict[str, ModelOptions]
    evaluate: EvaluationOptions
    compress: dict[str, CompressionOptions]
    predict: dict[str, PredictOptions]
    verification: dict[str, VerificationOptions]
    comparison: ComparisonOptions | None
    report: ReportOptions
    handover: HandoverOptions
    monitoring: MonitoringOptions
    contract: dict[str, Contract]
    execution: ExecutionOptions

    @property
    def roots(self) -> dict[str, str]:
        """Source → the URI below which its batches lie; those that data/raw holds are left out."""
        return {name: source.root for name, source in self.sources.items() if source.root}

    @property
    def fetched(self) -> dict[str, str]:
        """Source → the batch that its fetch stage brings."""
        return {name: str(one.model_dump()["version"]) for name, one in self.fetch.items()}

    @property
    def predicted(self) -> frozenset[str]:
        """The sources that are answered for, and that nothing is learnt from."""
        return frozenset(options.source for options in self.predict.values())

    @property
    def set_modalities(self) -> dict[str, str]:
        """Feature set → modality."""
        return {name: feature.modality for name, feature in self.features.items()}
