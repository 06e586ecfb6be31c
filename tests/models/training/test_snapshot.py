from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.models.saving import save_model
from pipeline.models.training.loop import Trained, train
from pipeline.models.training.snapshot import Snapshots
from pipeline.models.training.validation import Validation
from tests.models.synthetic import TASKS, joined, options, split_of

FEATURES = ["pixels", "words"]
EPOCHS = 6
EVERYTHING = {
    "warmup": 0.3,
    "clip": 0.5,
    "accumulate": 3,
    "average": 0.9,
    "precision": "bfloat16",
}


def learn(folder: Path, key: str = "k", every_s: float = 0.0, **changed) -> Trained:
    """Train, with snapshots in `folder`, and save what came of it there."""
    world = joined()
    sets = {"pixels": "image", "words": "text"}
    training, validation = (split_of(world, name, sets) for name in ("train", "validation"))
    classes = {"category": [f"k{i}" for i in range(8)], "language": ["de", "el", "fr"]}
    given = {"patience": EPOCHS, **changed}
    chosen = options(features=FEATURES, epochs=EPOCHS, tasks=TASKS, **given)
    snapshots = Snapshots(folder / "state", key, every_s)
    device = torch.device("cpu")
    trained = train(training, validation, classes, chosen, 7, device, snapshots)
    out = folder / "model"
    out.mkdir(parents=True, exist_ok=True)
    save_model(out, trained, training.sets, classes, chosen, {"made_by": {}})
    return trained


def files(folder: Path) -> dict[str, bytes]:
    result = (folder / "model").rglob("*")
    return {str(p.relative_to(folder)): p.read_bytes() for p in result if p.is_file()}


def die_in(epoch: int, monkeypatch: pytest.MonkeyPatch | None = None) -> None:
    """Have the validation after an epoch be the end of this process, or of the training."""
    judge, calls = Validation.__call__, []

    def call(self, network):
        calls.append(1)
        if len(calls) == epoch + 1:
            if monkeypatch is None:
                os.kill(os.getpid(), signal.SIGKILL)
            raise InterruptedError
        return judge(self, network)

    if monkeypatch is None:
        Validation.__call__ = call  # type: ignore[method-assign]
    else:
        monkeypatch.setattr(Validation, "__call__", call)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that came to its end, with its last snapshot."""
    folder = tmp_path_factory.mktemp("ended")
    learn(folder, **EVERYTHING)
    return folder


@pytest.fixture(scope="module")
def unbroken(ended: Path) -> dict[str, bytes]:
    return files(ended)


SCRIPT = """
import json, sys
from pathlib import Path
from tests.models.training.test_snapshot import die_in, learn
die_in(int(sys.argv[2]))
learn(Path(sys.argv[1]), **json.loads(sys.argv[3]))
"""


@pytest.mark.parametrize("epoch", [1, 4])
def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path, unbroken, epoch):
    command = [sys.executable, "-c", SCRIPT, tmp_path, str(epoch), json.dumps(EVERYTHING)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert files(tmp_path) == {}
    assert learn(tmp_path, **EVERYTHING).spent["resumed"] == epoch
    assert files(tmp_path) == unbroken


def test_a_default_one_too(tmp_path, monkeypatch):
    learn(tmp_path / "unbroken")
    with monkeypatch.context() as patch:
        die_in(3, patch)
        with pytest.raises(InterruptedError):
            learn(tmp_path / "broken")
    assert learn(tmp_path / "broken").spent["resumed"] == 3
    assert files(tmp_path / "broken") == files(tmp_path / "unbroken")


def test_one_that_was_at_its_end_only_takes_its_weights(tmp_path, ended, unbroken):
    shutil.copy(ended / "state", tmp_path)
    assert learn(tmp_path, **EVERYTHING).spent["resumed"] == EPOCHS
    assert files(tmp_path) == unbroken


def test_early_stopping_is_found_again(tmp_path):
    changed = {"patience": 2, "learning_rate": 1e-9, "label_smoothing": 0.1}
    first = learn(tmp_path, **{**EVERYTHING, **changed})
    assert len(first.curves) < EPOCHS
    again = learn(tmp_path, **{**EVERYTHING, **changed})
    assert again.spent["resumed"] == len(again.curves) == len(first.curves)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda data: data[: len(data) // 2], "is damaged"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "is damaged"),
        (lambda data: b"", "is damaged"),
    ],
)
def test_a_damaged_snapshot_is_not_used(tmp_path, ended, unbroken, capsys, harm, said):
    state = tmp_path / "state"
    state.write_bytes(harm((ended / "state").read_bytes()))
    assert learn(tmp_path, **EVERYTHING).spent["resumed"] == 0
    assert f"{state} {said}: training starts anew" in capsys.readouterr().err
    assert files(tmp_path) == unbroken


def test_one_of_another_configuration_is_not_used(tmp_path, ended, unbroken, capsys):
    shutil.copy(ended / "state", tmp_path)
    assert learn(tmp_path, key="other", **EVERYTHING).spent["resumed"] == 0
    assert "is of another configuration" in capsys.readouterr().err
    assert files(tmp_path) == unbroken


def test_nothing_but_tensors_and_plain_values_is_read(tmp_path):
    import hashlib
    import io
    import pickle

    buffer = io.BytesIO()
    torch.save({"key": "k", "state": Path("x")}, buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest().encode()
    (tmp_path / "state").write_bytes(digest + buffer.getvalue())
    with pytest.raises(pickle.UnpicklingError):
        Snapshots(tmp_path / "state", "k").read()


def test_a_full_disk_costs_the_snapshot_and_not_the_run(tmp_path, unbroken, capsys):
    """A file system of 64 KB, where it may be mounted."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a small file system")
    try:
        (small / "filler").write_bytes(b"x" * 2**16)
        snapshots = Snapshots(small / "state", "k", 0.0)
        snapshots.write(lambda: {"tensor": torch.zeros(10_000)})
        snapshots.write(lambda: {"tensor": torch.zeros(10_000)})
        assert capsys.readouterr().err.count("cannot be written (No space left") == 1
        assert snapshots.read() is None
        (small / "filler").unlink()
        snapshots.write(lambda: {"tensor": torch.zeros(10)})
        assert snapshots.read() is not None
        snapshots.write(lambda: {"tensor": torch.zeros(100_000)})
        assert snapshots.read() is not None
        assert [path.name for path in small.iterdir()] == ["state"]
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_write_that_fails_leaves_training_as_it_was(tmp_path, unbroken, capsys):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "file").touch()
    learn(tmp_path, **EVERYTHING)
    assert "cannot be read" in capsys.readouterr().err
    assert files(tmp_path) == unbroken


def test_snapshots_are_not_written_more_often_than_told(tmp_path):
    snapshots = Snapshots(tmp_path / "state", "k", every_s=60)
    snapshots.write(lambda: {})
    assert not snapshots.path.exists()
    Snapshots(tmp_path / "state", "k", 0.0, writes=False).write(lambda: {})
    assert not snapshots.path.exists()
