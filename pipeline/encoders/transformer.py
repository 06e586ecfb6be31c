"""Any text encoder in the Hugging Face format: from a local folder, or by its name on the hub.

What is measured is the last layer's states over a text's tokens, pooled to one vector: by their
mean (Reimers and Gurevych, "Sentence-BERT", 2019) or as the first token's (Devlin et al., "BERT",
2019). The folder holds config.json, tokenizer.json and weights as safetensors; no code from it is
run. The licence of the weights is the model's own.

Texts go one at a time and unpadded, so a row depends on no neighbour, and a name of three tokens
costs three tokens. On a CPU the network runs as an ONNX graph, traced when the encoder is opened:
for MiniLM that takes 0.4 of torch's time a text, and the vectors agree to 2e-7.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from pipeline.core.errors import PipelineError
from pipeline.core.options import Options as Base

if TYPE_CHECKING:
    import torch

    Embed = Callable[[list[int]], np.ndarray]

MODALITY = "text"
LICENCE = "the model's own"
COST_MS = 10.0
FILES = ("config.json", "tokenizer.json", "*.safetensors")


class Runtime(Base):
    """How a network is run, whichever it is."""

    backend: Literal["onnxruntime", "torch"] = Field(
        "onnxruntime", description="library that runs the network"
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="processor that runs the network")
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="type of the weights and of what is computed with them"
    )
    max_tokens: int = Field(
        256, ge=3, le=8192, description="tokens that are read of a text, the special ones included"
    )

    @model_validator(mode="after")
    def _is_supported(self) -> Self:
        if self.backend == "onnxruntime" and (self.device, self.precision) != ("cpu", "float32"):
            raise ValueError(
                "onnxruntime runs on the cpu in float32; use backend: torch for others"
            )
        return self


class Options(Runtime):
    """Which network, and how its states become one vector."""

    model: str = Field(min_length=1, description="folder, or name on the Hugging Face hub")
    revision: str = Field("main", description="branch, tag or commit, for a model from the hub")
    prefix: str = Field("", description="put before each text, as some models want: 'query: '")
    pooling: Literal["mean", "cls"] = Field("mean", description="mean of all tokens, or the first")
    normalise: bool = Field(True, description="whether vectors are scaled to length 1")


def shape(options: Options) -> tuple[int, ...]:
    """One vector a text, of the network's hidden size."""
    config = _config(locate(options))
    for name in ("hidden_size", "dim", "d_model"):
        if name in config:
            return (int(config[name]),)
    raise PipelineError(f"the config.json of model '{options.model}' states no hidden_size")


def parameters(options: Options) -> dict[str, Any]:
    """What of the options is keyed: a model in a folder is known by its files, not by its path."""
    parameters = options.model_dump(mode="json")
    if Path(options.model).is_dir():
        del parameters["model"]
    return parameters


def weights(options: Options) -> list[Path]:
    """The files that the encoder reads.

    Raises
    ------
    PipelineError
        The model is not to be had, or lacks one of them.
    """
    folder = locate(options)
    found = {pattern: sorted(folder.glob(pattern)) for pattern in FILES}
    missing = [pattern for pattern, paths in found.items() if not paths]
    if missing:
        raise PipelineError(
            f"model '{options.model}' has no {', no '.join(missing)}; save it with "
            "save_pretrained() of its model and of its fast tokenizer"
        )
    return [path for paths in found.values() for path in paths]


def locate(options: Options) -> Path:
    """The model's folder, fetched into the hub's cache if it is not local.

    Raises
    ------
    PipelineError
        It is neither a folder nor on the hub, or the hub is out of reach.
    """
    folder = Path(options.model)
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(options.model, revision=options.revision, allow_patterns=list(FILES))
        )
    except (OSError, ValueError) as error:
        raise PipelineError(
            f"model '{options.model}' is no folder here, and the Hugging Face hub did not give it "
            f"({type(error).__name__}); give a folder, or check the name and the network"
        ) from error


class Encoder:
    """Text to the pooled states of a transformer."""

    def __init__(self, options: Options) -> None:
        from tokenizers import Tokenizer

        folder = locate(options)
        _check_length(folder, options)
        self.options = options
        self.dimension = shape(options)[0]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(options.max_tokens)
        self.embed = BACKENDS[options.backend](_network(folder, options), options)

    def encode(self, contents: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors, float32 (n, hidden size), and lengths, int32 (n,), all 1.

        A text of no tokens, which only models without special tokens know, has the zero vector.
        """
        vectors = np.zeros((len(contents), self.dimension), np.float32)
        for vector, content in zip(vectors, contents, strict=True):
            ids = self.tokenizer.encode(self.options.prefix + content).ids
            if ids:
                vector[:] = self.embed(ids)
        return vectors, np.ones(len(contents), np.int32)


def _config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise PipelineError(f"{folder} holds no model: its config.json cannot be read") from None
    return config


def _check_length(folder: Path, options: Options) -> None:
    """Refuse to read further into a text than the network's positions reach."""
    limit = _config(folder).get("max_position_embeddings")
    if limit is not None and options.max_tokens > limit:
        raise PipelineError(
            f"model '{options.model}' reads at most {limit} tokens; lower max_tokens, "
            f"which is {options.max_tokens}"
        )


def _network(folder: Path, options: Options) -> torch.nn.Module:
    """Token ids, int64 (1, tokens), to a vector, float32 (hidden size,)."""
    import torch
    from transformers import AutoModel
    from transformers.utils import logging

    class Pooled(torch.nn.Module):
        def __init__(self, body: torch.nn.Module) -> None:
            super().__init__()
            self.body = body

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            states = self.body(input_ids=ids).last_hidden_state[0].float()
            pooled = states.mean(0) if options.pooling == "mean" else states[0]
            return torch.nn.functional.normalize(pooled, dim=0) if options.normalise else pooled

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    body = AutoModel.from_pretrained(
        folder,
        dtype=getattr(torch, options.precision),
        use_safetensors=True,
        local_files_only=True,
    )
    return Pooled(body).eval().requires_grad_(False)


def _in_torch(network: torch.nn.Module, options: Options) -> Embed:
    import torch

    from pipeline.core.machine.device import repeatable_torch, torch_device

    device = torch_device(options.device)
    network = network.to(device)

    def embed(ids: list[int]) -> np.ndarray:
        with repeatable_torch():
            vector: np.ndarray = network(torch.tensor([ids], device=device)).cpu().numpy()
        return vector

    return embed


def _in_onnx(network: torch.nn.Module, options: Options) -> Embed:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder, "graph.onnx")
        _trace(network, graph)
        session = onnxruntime.InferenceSession(graph, settings, ["CPUExecutionProvider"])

    def embed(ids: list[int]) -> np.ndarray:
        vector: np.ndarray = session.run(None, {"ids": np.array([ids], np.int64)})[0]
        return vector

    # A trace keeps what a network computed from its example's length as if it were constant.
    ids = [1] * 13
    if not np.allclose(embed(ids), _in_torch(network, options)(ids), atol=1e-3):
        raise PipelineError("this network does not trace to ONNX; use backend: torch for it")
    return embed


def _trace(network: torch.nn.Module, graph: Path) -> None:
    """Write the ONNX graph of what the network does to 8 tokens, with their number left open."""
    import torch

    with warnings.catch_warnings():
        # The exporter that traces is called old; the new one needs onnxscript and is not faster.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.ones((1, 8), dtype=torch.int64),),
            graph,
            input_names=["ids"],
            output_names=["vector"],
            dynamic_axes={"ids": {1: "tokens"}},
            opset_version=17,
            dynamo=False,
        )
    _spell_softmax(graph)


def _spell_softmax(graph: Path) -> None:
    """Write each Softmax as the operations that it stands for.

    ONNX Runtime's own sums 8 or 16 numbers abreast, as the processor has it, and so comes out
    differently; the operations in its place do not, and took 0 to 8 % longer by the text's length.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(graph)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        if node.op_type != "Softmax":
            model.graph.node.append(node)
            continue
        (x,), (y,) = node.input, node.output
        axis = next(attribute.i for attribute in node.attribute if attribute.name == "axis")
        model.graph.initializer.append(numpy_helper.from_array(np.array([axis]), f"{y}.axis"))
        model.graph.node.extend(
            [
                helper.make_node("ReduceMax", [x], [f"{y}.most"], axes=[axis]),
                helper.make_node("Sub", [x, f"{y}.most"], [f"{y}.below"]),
                helper.make_node("Exp", [f"{y}.below"], [f"{y}.exp"]),
                helper.make_node("ReduceSum", [f"{y}.exp", f"{y}.axis"], [f"{y}.sum"]),
                helper.make_node("Div", [f"{y}.exp", f"{y}.sum"], [y]),
            ]
        )
    onnx.save(model, graph)


BACKENDS: Mapping[str, Callable[[torch.nn.Module, Options], Embed]] = {
    "onnxruntime": _in_onnx,
    "torch": _in_torch,
}
