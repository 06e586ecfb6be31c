"""The server, asked in this process: good questions are answered, bad ones told why not."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.inference import Predictor, Sample
from pipeline.serving.app import create_app
from pipeline.serving.limits import Limits
from tests.dataset import picture, sound

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PICTURE, SOUND = picture("cross", 1), sound("cross", 1)


@pytest.fixture(scope="module")
def predictor(project: Path) -> Predictor:
    return Predictor.load(project, "gated")


@pytest.fixture(scope="module")
def client(predictor: Predictor) -> TestClient:
    return TestClient(create_app(predictor, Limits(mebibytes=1, samples=3)))


def as_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_json_is_answered_as_the_predictor_does(client: TestClient, predictor: Predictor) -> None:
    samples = [
        {"sample_id": "one", "contents": {"image": as_base64(PICTURE), "text": "a cross"}},
        {"contents": {"audio": as_base64(SOUND)}},
        {"sample_id": "none", "contents": {"image": as_base64(b"no picture")}},
    ]
    response = client.post("/predict", json={"samples": samples, "top": 2, "explain": True})
    assert response.status_code == 200
    told = response.json()
    asked = [
        Sample("one", {"image": PICTURE, "text": "a cross"}),
        Sample("1", {"audio": SOUND}),
        Sample("none", {"image": b"no picture"}),
    ]
    answers, rejects = predictor.predict(asked, top=2, explain=True)
    assert told["answers"] == answers.to_pylist(maps_as_pydicts="strict")
    assert told["rejects"] == rejects.to_pylist()
    assert len(told["answers"][0]["probabilities.shape"]) == 2


def test_a_form_is_one_sample(client: TestClient, predictor: Predictor) -> None:
    files = {"image": ("a.png", PICTURE), "audio": ("a.wav", SOUND)}
    response = client.post("/predict/files", files=files, data={"text": "a crossed cross"})
    contents = {"image": PICTURE, "audio": SOUND, "text": "a crossed cross"}
    answers, _ = predictor.predict([Sample("0", contents)])
    assert response.status_code == 200
    assert response.json()["answers"] == answers.to_pylist(maps_as_pydicts="strict")


def test_it_says_that_it_lives_and_how_it_is_asked(
    client: TestClient, predictor: Predictor
) -> None:
    health = client.get("/health").json()
    assert (health["model"], health["tasks"]) == ("gated", ["shape"])
    assert health["digest"] == predictor.lineage.digest
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {"/health", "/predict", "/predict/files"}
    form = described["paths"]["/predict/files"]["post"]["requestBody"]["content"]
    assert set(form["multipart/form-data"]["schema"]["properties"]) == {"audio", "image", "text"}
    page = client.get("/docs").text
    assert "http://" not in page.replace("http://testserver", "")
    assert "https://" not in page
    assert client.get("/static-offline-docs/swagger-ui-bundle.js").status_code == 200


ONE = {"contents": {"text": "a"}}


@pytest.mark.parametrize(
    ("question", "status", "reason"),
    [
        ({"samples": []}, 422, "samples: List should have at least 1 item"),
        ({"samples": [ONE] * 4}, 413, "4 samples, and 3 are the most"),
        ({"samples": [ONE], "tsaks": []}, 422, "tsaks: Extra inputs are not permitted"),
        ({"samples": [ONE], "tasks": ["colour"]}, 422, "unknown task of model 'gated' 'colour'"),
        ({"samples": [ONE], "top": 0}, 422, "top: Input should be greater than"),
        ({"samples": [{"contents": {"smell": "a"}}]}, 422, "unknown modality 'smell'; there are"),
        ({"samples": [{"contents": {"image": "%"}}]}, 422, "samples.0.contents.image: give the"),
        ({"samples": [{"contents": {"image": "AAAA"}}]}, 422, "not a picture of a known format"),
        ({"samples": [{"contents": {}}]}, 422, "the sample has nothing"),
        ({"samples": [{"contents": {"text": "a" * 2_000_000}}]}, 413, "more than 1 MiB"),
    ],
)
def test_a_bad_question_is_told_why(
    client: TestClient, question: dict[str, Any], status: int, reason: str
) -> None:
    response = client.post("/predict", json=question)
    assert response.status_code == status
    assert reason in response.json()["reason"]


FORM = {"content-type": "multipart/form-data; boundary=a"}


def endless() -> Iterator[bytes]:
    for _ in range(100):
        yield bytes(100_000)


@pytest.mark.parametrize(
    ("path", "given", "status", "reason"),
    [
        ("/predict", {"content": b"{"}, 422, "valid dictionary"),
        ("/predict", {"content": endless()}, 413, "more than 1 MiB"),
        ("/predict/files", {"content": b"x"}, 415, "multipart/form-data"),
        ("/predict/files", {"content": endless(), "headers": FORM}, 413, "more than 1 MiB"),
        ("/predict/files", {"content": b"x", "headers": FORM}, 400, "multipart"),
        ("/predict/files", {"files": {"smell": PICTURE}}, 422, "unknown modality 'smell'"),
        ("/predict/files", {"files": {"text": b"a"}, "data": {"image": "a"}}, 422, "give a file"),
        ("/predict/files", {"files": [("image", PICTURE), ("image", PICTURE)]}, 422, "twice"),
        ("/predict/files", {"files": {f"f{n}": b"x" for n in range(9)}}, 400, "Too many files"),
        ("/other", {}, 404, "Not Found"),
    ],
)  # fmt: skip
def test_a_bad_request_is_told_why(
    client: TestClient, path: str, given: dict[str, Any], status: int, reason: str
) -> None:
    response = client.post(path, **given)
    assert response.status_code == status, response.text
    assert reason in response.json()["reason"]


class Slow(Predictor):
    """Answers once it is let."""

    def __init__(self, other: Predictor, let: threading.Event) -> None:
        self.__dict__.update(other.__dict__)
        self._let = let

    def predict(self, *question: Any, **options: Any) -> Any:
        self._let.wait(60)
        return super().predict(*question, **options)


def test_what_takes_too_long_is_sent_away_and_stays_in_line(predictor: Predictor) -> None:
    let = threading.Event()
    limits = Limits(seconds=0.5, waiting=2)
    with TestClient(create_app(Slow(predictor, let), limits)) as client:
        reasons = [client.post("/predict", json={"samples": [ONE]}).json() for _ in range(3)]
        let.set()
        assert ["took longer" in each["reason"] for each in reasons] == [True, True, False]
        assert reasons[2]["reason"] == "2 requests are in line: ask again later"
        while (last := client.post("/predict", json={"samples": [ONE]})).status_code == 503:
            time.sleep(0.05)
        assert last.status_code == 200


@pytest.mark.parametrize("model", ["gated", "./gated"])
def test_the_command_serves_a_model_or_says_what_is_wrong(
    project: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Any] = []
    monkeypatch.setattr("uvicorn.run", lambda app, **options: served.append((app, options)))
    monkeypatch.chdir(project)
    runner = CliRunner().invoke(app, ["serve", model, "--port", "8123"])
    if model == "gated":
        ((application, options),) = served
        assert (options["host"], options["port"]) == ("127.0.0.1", 8123)
        assert TestClient(application).get("/health").json()["model"] == "gated"
    else:
        assert (runner.exit_code, served) == (1, [])
        assert "gated holds no model that was handed over" in runner.stderr
