"""What the steps share: their arguments, the networks that they ask, and the clock."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
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
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--work", type=Path, required=True)
    given = parser.parse_args()
    print(json.dumps(step(Setting(given.device, given.quick, given.work))))
    sys.stdout.flush()


def lite0(setting: Setting, precision: str, size: int) -> Any:
    from pipeline.encoders.efficientnet_lite0 import Encoder, Options

    return Encoder(
        Options(backend="torch", device=setting.device, precision=precision, batch_size=size)
    )


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


def text_options(setting: Setting, precision: str, batch_tokens: int) -> Any:
    from pipeline.encoders.transformer import Options

    return Options(
        model=str(bert(setting)),
        backend="torch",
        device=setting.device,
        precision=precision,
        batch_tokens=batch_tokens,
    )


def texts(count: int, tokens: int) -> list[str]:
    """Texts of so many tokens, the two special ones included."""
    words = np.random.default_rng(0).integers(0, len(WORDS), (count, tokens - 2))
    return [" ".join(WORDS[i] for i in row) for row in words]


def squares(count: int, seed: int = 0) -> np.ndarray:
    """Pictures as Lite0 takes them, uint8 (count, 224, 224, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)


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
