"""Any text encoder in the Hugging Face format: from a local folder, or by its name on the hub.

What is measured is one layer's states over a text's tokens, the last layer's unless another is
named, pooled to one vector: by their mean (Reimers and Gurevych, "Sentence-BERT", 2019), as the
first token's (Devlin et al., "BERT", 2019), or by their largest; or they stay a sequence, for a
tower that reads it, as one that learns the last block anew does. The folder holds config.json,
tokenizer.json and weights as safetensors; no code from it is run. The licence of the weights is the
model's own.

On a CPU the network runs as an ONNX graph, traced when the encoder is opened: for MiniLM that takes
0.4 of torch's time a text, and the vectors agree to 2e-7. There texts go one at a time, unpadded.
torch computes batches of one fixed shape for each range of lengths (see `_fixed_batch`); which one
takes a text, its own length says. So on either a row depends on no neighbour.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from pipeline.core.errors import PipelineError
from pipeline.encoders import _pretrained, batch_places
from pipeline.encoders._onnx import trace
from pipeline.encoders._pretrained import CONFIG, WEIGHTS, OnCard, Pretrained, read_config

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

    # Token ids of one bucket, int32 (tokens,) each → float32 (texts, hidden size).
    Embed = Callable[[Sequence[np.ndarray]], np.ndarray]

MODALITY = "text"
LICENCE = "the model's own"
COST_MS = 10.0
TOKENIZER = "tokenizer.json"
FILES = (CONFIG, TOKENIZER, WEIGHTS)
HOW = "save it with save_pretrained() of its model and of its fast tokenizer"
# The least bucket: names and short titles.
LEAST_TOKENS = 16
# Tokens a batch that fill a card of 2022 or later.
CARD_TOKENS = 32_768


class Runtime(OnCard):
    """How a network is run, whichever it is."""

    backend: Literal["onnxruntime", "torch"] = Field(
        "onnxruntime", description="library that runs the network"
    )
    max_tokens: int = Field(
        256, ge=3, le=8192, description="tokens that are read of a text, the special ones included"
    )
    batch_tokens: int = Field(
        1,
        ge=1,
        le=2**20,
        description="tokens that torch computes together, texts of like length in a batch always "
        f"as large; {CARD_TOKENS} where the device is cuda and nothing is said",
    )

    @classmethod
    def card_defaults(cls) -> dict[str, int]:
        """A batch that fills the card."""
        return {"batch_tokens": CARD_TOKENS}

    @property
    def batch_size(self) -> int:
        """Most texts of a batch."""
        return _texts(self.lengths[0], self)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Tokens of each kind of batch."""
        return _pretrained.buckets(min(LEAST_TOKENS, self.max_tokens), self.max_tokens)

    @model_validator(mode="after")
    def _is_supported(self) -> Self:
        plain = (self.device, self.precision, self.batch_tokens) == ("cpu", "float32", 1)
        if self.backend == "onnxruntime" and not plain:
            raise ValueError(
                "onnxruntime runs on the cpu, in float32, text by text; "
                "use backend: torch for others"
            )
        return self


class Options(Runtime, Pretrained):
    """Which network, and how its states become one vector."""

    prefix: str = Field("", description="put before each text, as some models want: 'query: '")
    layer: int | None = Field(
        None, ge=0, description="layer whose states are taken, 0 the embeddings'; empty: the last"
    )
    pooling: Literal["mean", "cls", "max", "sequence"] = Field(
        "mean",
        description="mean of all tokens, the first, of each number the largest, or every token's",
    )
    normalise: bool = Field(True, description="whether vectors are scaled to length 1")


def shape(options: Options) -> tuple[int, ...]:
    """One vector a text, of the network's hidden size; or one a token, up to `max_tokens`."""
    config = read_config(locate(options))
    for name in ("hidden_size", "dim", "d_model"):
        if name in config:
            width = int(config[name])
            return (options.max_tokens, width) if options.pooling == "sequence" else (width,)
    raise PipelineError(f"the config.json of model '{options.model}' states no hidden_size")


def parameters(options: Options) -> dict[str, Any]:
    """What of the options is keyed."""
    return _pretrained.parameters(options)


def weights(options: Options) -> list[Path]:
    """The files that the encoder reads: see `_pretrained.weights`."""
    return _pretrained.weights(options, FILES, HOW)


def locate(options: Options) -> Path:
    """The model's folder: see `_pretrained.locate`."""
    return _pretrained.locate(options, FILES)


def prepare(contents: Sequence[str], options: Options) -> list[np.ndarray]:
    """Texts as the network is fed with them: token ids, int32 (tokens,). Needs no encoder."""
    tokenizer = _tokenizer(locate(options) / TOKENIZER, options.max_tokens)
    encodings = tokenizer.encode_batch([options.prefix + content for content in contents])
    return [np.array(encoding.ids, np.int32) for encoding in encodings]


def batch(content: np.ndarray, options: Runtime) -> tuple[int, int]:
    """Tokens and texts of the batch that takes a prepared text."""
    tokens = _pretrained.bucket(len(content), options.lengths)
    return tokens, _texts(tokens, options)


class Encoder:
    """Text, prepared or not, to the pooled states of a transformer."""

    def __init__(self, options: Options) -> None:
        folder = locate(options)
        _check_length(folder, options)
        self.options = options
        self.shape = shape(options)
        self.embed = BACKENDS[options.backend](_network(folder, options), options)

    def encode(self, contents: Sequence[str | np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors, float32 (n, hidden size), and lengths, int32 (n,), all 1.

        A text of no tokens, which only models without special tokens know, has the zero vector.
        Sequences are float32 (n, max_tokens, hidden size), their lengths the texts' tokens.
        """
        ids = [
            prepare([content], self.options)[0] if isinstance(content, str) else content
            for content in contents
        ]
        vectors = np.zeros((len(contents), *self.shape), np.float32)
        lengths = _pretrained.ones(len(contents))
        filled = [place for place, row in enumerate(ids) if len(row)]
        for places in batch_places([batch(ids[place], self.options) for place in filled]):
            texts = [filled[place] for place in places]
            made = self.embed([ids[text] for text in texts])
            if self.options.pooling != "sequence":
                vectors[texts] = made
                continue
            for text, states in zip(texts, made, strict=True):
                lengths[text] = len(ids[text])
                vectors[text, : lengths[text]] = states[: lengths[text]]
        return vectors, lengths


@functools.lru_cache(maxsize=1)
def _tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _texts(tokens: int, options: Runtime) -> int:
    """Texts of a batch of so many tokens a text."""
    return _pretrained.usable(options.batch_tokens // tokens)


def _check_length(folder: Path, options: Options) -> None:
    """Refuse to read further into a text than the network's positions reach."""
    limit = read_config(folder).get("max_position_embeddings")
    if limit is not None and options.max_tokens > limit:
        raise PipelineError(
            f"model '{options.model}' reads at most {limit} tokens; lower max_tokens, "
            f"which is {options.max_tokens}"
        )


def _network(folder: Path, options: Options) -> torch.nn.Module:
    """Token ids, int64 (texts, tokens), and which of them count, to vectors, float32 (texts, …).

    Of a single text all count where nothing is said; it becomes one vector, float32 (…,). With
    `pooling: sequence` vectors are (…, tokens, …), whatever counts.
    """
    import torch

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = _pretrained.read_network(folder, options.precision)

        def forward(self, ids: torch.Tensor, filled: torch.Tensor | None = None) -> torch.Tensor:
            how: dict[str, Any] = {} if filled is None else {"attention_mask": filled.long()}
            if options.layer is None:
                states = self.body(input_ids=ids, **how).last_hidden_state
            else:
                output = self.body(input_ids=ids, output_hidden_states=True, **how)
                states = output.hidden_states[options.layer]
            if options.pooling == "sequence":
                pooled = states.float() if filled is not None else states[0].float()
            elif filled is None:
                alone = states[0].float()
                pooled = {"mean": alone.mean(0), "cls": alone[0], "max": alone.amax(0)}[
                    options.pooling
                ]
            else:
                pooled = _pretrained.pool(states, filled, options.pooling)
            return torch.nn.functional.normalize(pooled, dim=-1) if options.normalise else pooled

    return Pooled().eval()


def _in_torch(network: torch.nn.Module, options: Options) -> Embed:
    import torch

    from pipeline.core.machine.device import torch_device
    from pipeline.encoders._fixed_batch import FixedBatch

    device = torch_device(options.device)
    network = network.to(device)

    def masked(ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        filled = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        vectors: torch.Tensor = network(ids.long(), filled)
        return vectors

    @functools.cache
    def fixed(tokens: int, texts: int) -> FixedBatch:
        return FixedBatch(masked, _pretrained.size(texts), (tokens,), np.int32, device)

    return lambda ids: fixed(*batch(ids[0], options))(ids)


def _in_onnx(network: torch.nn.Module, options: Options) -> Embed:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder, "graph.onnx")
        trace(network, graph)
        session = onnxruntime.InferenceSession(graph, settings, ["CPUExecutionProvider"])

    def embed(ids: Sequence[np.ndarray]) -> np.ndarray:
        rows = [session.run(None, {"ids": one[None].astype(np.int64)})[0] for one in ids]
        return np.stack(rows)

    # A trace keeps what a network computed from its example's length as if it were constant.
    ids = [np.ones(min(13, options.max_tokens), np.int32)]
    expected = _in_torch(network, options)(ids)
    if options.pooling == "sequence":
        expected = expected[:, : len(ids[0])]
    if not np.allclose(embed(ids), expected, atol=1e-3):
        raise PipelineError("this network does not trace to ONNX; use backend: torch for it")
    return embed


BACKENDS: Mapping[str, Callable[[torch.nn.Module, Options], Embed]] = {
    "onnxruntime": _in_onnx,
    "torch": _in_torch,
}
