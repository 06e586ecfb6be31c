"""What docs/scaling.md hands out is valid, agrees with the lock, and its tables are calculated."""

from __future__ import annotations

import copy
import json
import re
import runpy
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

HERE = Path(__file__).parents[1]
PAGE = (HERE / "docs" / "scaling.md").read_text()
LOCK = (HERE / "requirements" / "lock.txt").read_text()
RAY = re.findall(r"^ray==(\S+)", LOCK, re.MULTILINE)[0]
CLUSTER: dict[str, Any] = yaml.safe_load((HERE / "deploy" / "ray-cluster.yaml").read_text())
JOB: dict[str, Any] = yaml.safe_load((HERE / "deploy" / "rayjob.yaml").read_text())
GROUPS = JOB["spec"]["rayClusterSpec"]["workerGroupSpecs"]
HEAD = JOB["spec"]["rayClusterSpec"]["headGroupSpec"]


def check_cluster(cluster: dict[str, Any]) -> None:
    schema = json.loads((files("ray.autoscaler") / "ray-schema.json").read_text())
    jsonschema.validate(cluster, schema)


def check_job(job: dict[str, Any]) -> None:
    schema = yaml.safe_load((HERE / "tests" / "deploy" / "rayjob.schema.yaml").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(job, schema)


def without(document: dict[str, Any], *path: str | int) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    inner: Any = changed
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return changed


def test_ray_up_takes_the_cluster() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    check_cluster(CLUSTER)
    validate_config(prepare_config(copy.deepcopy(CLUSTER)))
    types = CLUSTER["available_node_types"]
    assert CLUSTER["head_node_type"] in types
    assert CLUSTER["max_workers"] == sum(kind.get("max_workers", 0) for kind in types.values())


@pytest.mark.parametrize(
    "broken",
    [
        without(CLUSTER, "provider"),
        without(CLUSTER, "available_node_types", "cpu", "resources"),
        CLUSTER | {"workers": 3},
    ],
)
def test_a_mistake_in_the_cluster_is_found(broken: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check_cluster(broken)


def test_kuberay_takes_the_job() -> None:
    check_job(JOB)


@pytest.mark.parametrize(
    "broken",
    [
        without(JOB, "spec", "rayClusterSpec", "headGroupSpec", "rayStartParams"),
        without(JOB, "spec", "rayClusterSpec", "workerGroupSpecs", 0, "minReplicas"),
        without(
            JOB, "spec", "rayClusterSpec", "workerGroupSpecs", 1, "template", "spec", "containers"
        ),
        JOB | {"spec": JOB["spec"] | {"entrypont": "dvc repro"}},
    ],
)
def test_a_mistake_in_the_job_is_found(broken: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check_job(broken)


def test_the_head_has_no_room_for_work() -> None:
    assert HEAD["rayStartParams"]["num-cpus"] == "0"
    head = CLUSTER["available_node_types"][CLUSTER["head_node_type"]]
    assert head["resources"] == {"CPU": 0, "GPU": 0}
    assert "--num-cpus=0 --num-gpus=0" in " ".join(CLUSTER["head_start_ray_commands"])


def test_clusters_start_at_their_full_size() -> None:
    # A stage counts its workers when it begins, and fails where there is not one.
    for kind in CLUSTER["available_node_types"].values():
        assert kind.get("min_workers") == kind.get("max_workers")
    for group in GROUPS:
        assert group["minReplicas"] == group["replicas"] == group["maxReplicas"] > 0


def test_ray_counts_what_the_pods_are_given() -> None:
    for group in GROUPS:
        (container,) = group["template"]["spec"]["containers"]
        limits = container["resources"]["limits"]
        assert container["resources"]["requests"] == limits
        assert group["rayStartParams"]["num-cpus"] == limits["cpu"]
        assert group["rayStartParams"].get("num-gpus") == limits.get("nvidia.com/gpu")


def test_all_machines_see_the_project_at_one_path() -> None:
    (where,) = re.findall(
        r"cd (/\w+)/project && RAY_ADDRESS=auto dvc repro", JOB["spec"]["entrypoint"]
    )
    claims = []
    for group in (HEAD, *GROUPS):
        spec = group["template"]["spec"]
        (volume,) = spec["volumes"]
        claims.append(volume["persistentVolumeClaim"]["claimName"])
        (container,) = spec["containers"]
        assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": where}]
    assert len(set(claims)) == 1
    assert f"--volume={where}:{where}" in CLUSTER["docker"]["run_options"]


def test_one_image_with_the_locked_ray() -> None:
    dockerfile = (HERE / "deploy" / "Dockerfile").read_text()
    assert f"FROM rayproject/ray:{RAY}-py311" in dockerfile
    assert JOB["spec"]["rayClusterSpec"]["rayVersion"] == RAY
    images = re.findall(r"image: (\S+)", yaml.safe_dump([JOB, CLUSTER]))
    assert len(images) == 4
    assert len(set(images)) == 1
    assert images[0] in dockerfile


def test_the_tables_shown_are_those_calculated() -> None:
    script = [sys.executable, "benchmarks/scale.py"]
    shown = subprocess.run(script, cwd=HERE, check=True, capture_output=True, text=True).stdout
    blocks = shown.strip().split("\n\n")
    assert len(blocks) == 3
    for block in blocks:
        assert block in PAGE


def test_parts_are_as_long_as_calculated() -> None:
    import numpy as np

    from pipeline.parts.fingerprint import fingerprint
    from pipeline.parts.part import Row
    from pipeline.parts.plan import plan_parts

    scale = runpy.run_path(str(HERE / "benchmarks" / "scale.py"))
    digests = np.random.default_rng(0).bytes(32 * 20_000).hex()
    rows = [Row(digests[i : i + 64], "", "s", "b", 1000) for i in range(0, len(digests), 64)]
    for cut in (scale["Cut"](64, 10**9), scale["Cut"](64, 50_000)):
        made = len(
            plan_parts(fingerprint("scale", ["pipeline.parts.part"], {}), rows, *vars(cut).values())
        )
        expected = len(rows) / cut.rows(scale["Rows"](1, 1000, 0))
        assert made == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", PAGE))))
def test_links_lead_somewhere(link: str) -> None:
    assert (HERE / "docs" / link).exists()


def test_the_page_is_short() -> None:
    assert len(PAGE.splitlines()) < 200
