"""What the steps share: their arguments, the networks that they ask, and the clock."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WORDS = [f"word{i}" for i in range(2000)]


@dataclass(frozen=True)
class Setting:
    """Where a step runs, and whether it only rehearses."""

    device: str
    quick: bool
    work: Path

    def sizes(self, whole: list[int], rehearsed: list[int]) -> list[int]:
        return rehearsed if self.quick else whole

    @property
    def on_card(self) -> bool:
        return self.device == "cuda"

    @property
    def precisions(self) -> list[str]:
        """A convolution in bfloat16 takes minutes on a processor without it."""
        return ["float32"] if self.device == "cpu" else ["float32", "bfloat16"]


def run(step: Callable[[Setting], dict[str, Any]]) -> None:
    """A step as a program: prints its figures as the last line."""
    from transformers.utils import logging

    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--work", type=Path, required=True)
    given = parser.parse_args()
    logging.disable_progress_bar()
    print(json.dumps(step(Setting(given.device, given.quick, given.work))))
    sys.stdout.flush()


def options_of(setting: Setting, kind: str, precision: str) -> Any:
    """Options of an encoder, with its batch as docs/gpu.md has it."""
    return {"lite0": lite0_options, "vit": vit_options, "bert": text_options}[kind](
        setting, precision
    )


def lite0_options(setting: Setting, precision: str, size: int | None = None) -> Any:
    from pipeline.encoders.efficientnet_lite0 import Options

    size = size or (4 if setting.quick else 256)
    return Options(backend="torch", device=setting.device, precision=precision, batch_size=size)


def lite0(setting: Setting, precision: str, size: int) -> Any:
    from pipeline.encoders.efficientnet_lite0 import Encoder

    return Encoder(lite0_options(setting, precision, size))


def vit_options(setting: Setting, precision: str) -> Any:
    """Of a ViT-B/16 with seeded weights."""
    import torch
    from transformers import ViTConfig, ViTModel

    from pipeline.encoders.vision import PREPROCESSOR, Options

    folder = setting.work / "vit"
    if not (folder / PREPROCESSOR).exists():
        tiny = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
        side = {"image_size": side_of(setting, "vit")}
        torch.manual_seed(0)
        ViTModel(ViTConfig(**side, **(tiny if setting.quick else {}))).save_pretrained(folder)
        pixels = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": side["image_size"]}
        (folder / PREPROCESSOR).write_text(json.dumps(pixels))
    size = 4 if setting.quick else 256
    return Options(model=str(folder), device=setting.device, precision=precision, batch_size=size)


def side_of(setting: Setting, kind: str) -> int:
    """Pixels of the square that an encoder of pictures reads."""
    return 32 if kind == "vit" and setting.quick else 224


def bert(setting: Setting) -> Path:
    """A BERT of MiniLM's shape with seeded weights, and a tokenizer of whole words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = setting.work / "bert"
    if not (folder / "tokenizer.json").exists():
        small = {"num_hidden_layers": 2} if setting.quick else {"num_hidden_layers": 6}
        config = BertConfig(
            vocab_size=len(WORDS) + 4,
            hidden_size=384,
            num_attention_heads=12,
            intermediate_size=1536,
            **small,
        )
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
        ids = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
        tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
        tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def text_options(setting: Setting, precision: str, batch_tokens: int | None = None) -> Any:
    from pipeline.encoders.transformer import Options

    return Options(
        model=str(bert(setting)),
        backend="torch",
        device=setting.device,
        precision=precision,
        batch_tokens=batch_tokens or (256 if setting.quick else 32_768),
    )


def speech_options(setting: Setting, precision: str) -> Any:
    """Of a wav2vec2 of the base size with seeded weights."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    from pipeline.encoders.speech import PREPROCESSOR, WAVE, Options

    folder = setting.work / "speech"
    if not (folder / PREPROCESSOR).exists():
        tiny = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
        tiny |= {"intermediate_size": 64}
        torch.manual_seed(0)
        config = Wav2Vec2Config(**(tiny if setting.quick else {}))
        Wav2Vec2Model(config).save_pretrained(folder)
        (folder / PREPROCESSOR).write_text(json.dumps({"feature_extractor_type": WAVE}))
    seconds_together = 4 if setting.quick else 256
    return Options(
        model=str(folder),
        device=setting.device,
        precision=precision,
        batch_seconds=seconds_together,
    )


def waves(count: int, options: Any) -> list[np.ndarray]:
    """Clips of the least length, float32 (samples,)."""
    rng = np.random.default_rng(0)
    return list(rng.uniform(-0.5, 0.5, (count, options.lengths[0])).astype(np.float32))


def texts(count: int, tokens: int, seed: int = 0) -> list[str]:
    """Texts of so many tokens, the two special ones included."""
    words = np.random.default_rng(seed).integers(0, len(WORDS), (count, tokens - 2))
    return [" ".join(WORDS[i] for i in row) for row in words]


def squares(count: int, side: int = 224) -> np.ndarray:
    """Pictures as networks take them, uint8 (count, side, side, 3)."""
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@contextmanager
def ray_with_a_gpu(setting: Setting) -> Iterator[None]:
    """A Ray of this machine; a rehearsal's GPU is known to Ray alone."""
    import ray

    given = {} if setting.on_card else {"num_cpus": 2, "num_gpus": 1}
    ray.init("local", include_dashboard=False, log_to_driver=False, **given)
    try:
        yield
    finally:
        ray.shutdown()


def synchronise(setting: Setting) -> None:
    import torch

    if setting.on_card:
        torch.cuda.synchronize()


def seconds(setting: Setting, times: int, call: Callable[..., object], *given: object) -> float:
    """Median seconds of a call, after two that are not counted."""
    told = []
    for number in range(times + 2):
        synchronise(setting)
        began = time.perf_counter()
        call(*given)
        synchronise(setting)
        if number >= 2:
            told.append(time.perf_counter() - began)
    return statistics.median(told)
