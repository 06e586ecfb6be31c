"""A cluster as deploy/ makes it: a head without work, nodes of CPUs, one with a GPU."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from pipeline.core.errors import PipelineError
from pipeline.core.files.digest import digest_bytes, digest_file
from pipeline.core.machine.processor import processor
from pipeline.core.schemas import clean_schema
from pipeline.encoders.efficientnet_lite0 import Options
from pipeline.execution.options import ExecutionOptions
from pipeline.execution.probe import processor_on
from pipeline.execution.ray import RayExecutor
from pipeline.modalities.image import content
from pipeline.parts.fingerprint import fingerprint
from pipeline.parts.part import Row, write_table
from pipeline.parts.serial import Serial
from pipeline.stages.plans.train import plan as train
from pipeline.stages.work.batch_invariance import ProvenExtract
from pipeline.stages.work.extract import Recipe
from tests.execution import logical_gpu
from tests.models.synthetic import options
from tests.stages.plans.stored import params, store_world
from tests.toy import function, put

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NODES = yaml.safe_load((Path(__file__).parents[2] / "deploy" / "ray-cluster.yaml").read_text())[
    "available_node_types"
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster with one node of each type, the CPUs of each being two at most."""
    import ray
    from ray.cluster_utils import Cluster

    head, *workers = (
        {f"num_{kind.lower()}s": min(n, 2) for kind, n in NODES[name]["resources"].items()}
        for name in ("head", "cpu", "gpu")
    )
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for worker in workers:
        cluster.add_node(**worker)
    ray.init(
        cluster.address,
        log_to_driver=False,
        runtime_env={"worker_process_setup_hook": logical_gpu.install},
    )
    yield cluster.address
    ray.shutdown()
    cluster.shutdown()


def encoding(folder: Path, identity: Any) -> tuple[ProvenExtract, list[Row]]:
    """Work on ten pictures, their clean part in `folder`."""
    chosen = Options(backend="torch", device="cuda", batch_size=4)
    rng = np.random.default_rng(0)
    records = []
    for _ in range(10):
        data, shape = content.pack(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))
        digest = digest_bytes(data)
        records.append(
            {"digest": digest, "key": "k", "content": digest, "shape": list(shape), "data": data}
        )
    folder.mkdir()
    clean = pa.Table.from_pylist(records, schema=clean_schema(pa.schema([])))
    write_table(clean, folder / "part.parquet", {})
    rows = [
        Row(one["digest"], one["digest"], "s", "b", 4, 0, Recipe("part", "[]")) for one in records
    ]
    return ProvenExtract("set", "efficientnet_lite0", chosen, folder, identity), rows


def test_a_planner_without_a_gpu_learns_it_from_a_worker(address: str) -> None:
    with pytest.raises(PipelineError, match="no CUDA device on this machine"):
        processor_on("cuda", ExecutionOptions())
    found = processor_on("cuda", ExecutionOptions(ray_address=address))
    assert found == f"{processor()} {logical_gpu.NAME}"


def test_a_feature_set_is_encoded_on_the_gpu_and_fed_by_nodes_without(
    inside: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = fingerprint(
        "extract",
        ["pipeline.stages.work.extract", "pipeline.encoders.efficientnet_lite0"],
        {},
        processor=processor_on("cuda", ExecutionOptions(ray_address=address)),
    )
    work, rows = encoding(inside / "clean", identity)
    executor = RayExecutor(None, gpus_per_worker=1.0, address=address)
    assert put(Path("far"), work, rows, executor=executor).rows == 10
    logical_gpu.install_here(monkeypatch)
    put(Path("near"), work, rows, executor=Serial())
    far, near = (
        {path.name: digest_file(path) for path in Path(out).glob("*.parquet")}
        for out in ("far", "near")
    )
    assert far == near
    assert len(far) > 1


class ByPlace:
    """An encoder that computes the last row of a batch otherwise than the others."""

    def __init__(self, options: Options) -> None:
        self.size = options.batch_size

    def encode(self, contents: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        places = np.arange(len(contents)) == self.size - 1
        vectors = np.ones((len(contents), 1280), np.float32) + np.float32(1e-6) * places[:, None]
        return vectors, np.ones(len(contents), np.int32)


class Unlawful(ProvenExtract):
    def _encoder(self) -> Any:
        return SimpleNamespace(**{**vars(super()._encoder()), "Encoder": ByPlace})


def test_an_encoder_whose_rows_depend_on_their_place_stops_the_stage(
    inside: Path, address: str
) -> None:
    work, rows = encoding(inside / "clean", function(unlawful=True))
    broken = Unlawful(**vars(work))
    executor = RayExecutor(None, gpus_per_worker=1.0, address=address)
    with pytest.raises(PipelineError, match="1 of 4 places differ, the first at 3"):
        put(Path("out"), broken, rows, executor=executor)
    assert not list(Path("out").glob("*.parquet"))


def test_training_is_on_the_clusters_gpu(inside: Path, address: str) -> None:
    store_world(Path("data"))
    models = [options(epochs=2), options(epochs=2, device="cuda")]
    trained = []
    for model in models:
        made = train(params({"m": model}, execution=ExecutionOptions(ray_address=address)), "m")
        made.run()
        trained.append(digest_file(made.out / "model.safetensors"))
        processors = made.fingerprint.processor
        shutil.rmtree(made.out)
    assert processors.endswith(logical_gpu.NAME)
    assert trained[0] == trained[1]
