"""Networks of the Hugging Face format, a layer or two deep, with random weights, in folders."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

SEEDED = 0


@functools.cache
def _parent() -> Path:
    parent = tempfile.mkdtemp(prefix="tiny-")
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    return Path(parent)


@functools.cache
def folder(kind: str) -> Path:
    """A model's folder as `save_pretrained` leaves one, its weights the same in every process."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()

    path = _parent() / kind
    with torch.random.fork_rng():
        torch.manual_seed(SEEDED)
        model, extractor = (
            _text()
            if kind == "bert"
            else (_vision(kind), None)
            if kind in VISION
            else _speech(kind)
        )
        model.save_pretrained(path)
    if kind == "bert":
        extractor.save(str(path / "tokenizer.json"))
    elif extractor is not None:
        extractor.save_pretrained(path)
    else:  # the library's own processors want torchvision, which nothing here needs
        (path / "preprocessor_config.json").write_text(json.dumps(PICTURES))
    return path


def altered(path: Path, **config: Any) -> Path:
    """The BERT in another folder, with another config.json, in which None leaves out."""
    shutil.copytree(folder("bert"), path)
    if config:
        stated = json.loads((path / "config.json").read_text()) | config
        kept = {name: value for name, value in stated.items() if value is not None}
        (path / "config.json").write_text(json.dumps(kept))
    return path


@functools.cache
def aligned() -> Path:
    """A model with a space, of random weights, as `pipeline freeze` leaves one."""
    import torch

    from pipeline.encoders import encoder_of
    from pipeline.encoders._aligned import Frozen, FrozenSet
    from pipeline.models.compression.export import vector_graph
    from pipeline.models.examples import FeatureSpec
    from pipeline.models.network import Network
    from pipeline.models.options import ModelOptions

    path = _parent() / "aligned"
    path.mkdir()
    sets = {"colours": "colour_hog", "letters": "hashing", "voice": "mfcc", "seen": "colour_hog"}
    kinds = {name: encoder_of(encoder) for name, encoder in sets.items()}
    specs = [
        FeatureSpec(name, kind.MODALITY, kind.shape(kind.Options())) for name, kind in kinds.items()
    ]
    options = ModelOptions.model_validate(
        {"features": list(sets), "tower": {"width": 8, "hidden": 8}, "alignment": {"dimension": 6},
         "fusion": "late"}
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(SEEDED)
        network = Network(specs, {}, options)
    for modality in {spec.modality for spec in specs}:
        graph = vector_graph(network, specs, modality)
        (path / f"{modality}.onnx").write_bytes(graph)
        frozen = [
            FrozenSet(spec.name, sets[spec.name], {}, "float32")
            for spec in specs
            if spec.modality == modality
        ]
        (path / f"{modality}.json").write_text(json.dumps(asdict(Frozen(6, frozen))))
    return path


VISION = ("resnet", "vit", "clip", "siglip", "dinov2")
SPEECH = ("wav2vec2", "hubert", "whisper", "ast", "clap")
PICTURES = {
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.25, 0.5, 0.5],
    "size": {"height": 32, "width": 32},
}
SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


WORDS = ("a", "big", "grey", "wolf", "howls", "at", "the", "moon")


def _text() -> tuple[Any, Any]:
    """A BERT, and its tokenizer, which pads every text to a length as MiniLM's does."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    config = BertConfig(vocab_size=len(vocabulary), max_position_embeddings=24, **SMALL)
    ids = {word: place for place, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_padding(length=20)
    return BertModel(config), tokenizer


def _vision(kind: str) -> Any:
    import transformers as t

    size = {"image_size": 32, "patch_size": 8}
    if kind == "resnet":
        return t.ResNetModel(
            t.ResNetConfig(
                embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"
            )
        )
    if kind == "vit":
        return t.ViTModel(t.ViTConfig(**SMALL, **size))
    if kind == "dinov2":
        return t.Dinov2Model(t.Dinov2Config(**SMALL, **size))
    text = {**SMALL, "vocab_size": 9, "max_position_embeddings": 8, "pad_token_id": 0}
    text |= {"bos_token_id": 1, "eos_token_id": 2}
    if kind == "clip":
        return t.CLIPModel(t.CLIPConfig(text_config=text, vision_config={**SMALL, **size}))
    return t.SiglipModel(t.SiglipConfig(text_config=text, vision_config={**SMALL, **size}))


def _speech(kind: str) -> tuple[Any, Any]:
    import transformers as t

    wave = {
        **SMALL,
        "conv_dim": (8, 8),
        "conv_kernel": (10, 8),
        "conv_stride": (5, 64),
        "num_conv_pos_embeddings": 4,
        "num_conv_pos_embedding_groups": 2,
    }
    if kind == "wav2vec2":
        return t.Wav2Vec2Model(t.Wav2Vec2Config(**wave)), t.Wav2Vec2FeatureExtractor()
    if kind == "hubert":
        config = t.HubertConfig(**wave, feat_extract_norm="layer", do_stable_layer_norm=True)
        return t.HubertModel(config), t.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    if kind == "whisper":
        config = t.WhisperConfig(
            vocab_size=9,
            d_model=16,
            encoder_layers=2,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            max_source_positions=500,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=1,
        )
        return t.WhisperModel(config), t.WhisperFeatureExtractor(chunk_length=10)
    if kind == "ast":
        config = t.ASTConfig(**SMALL, max_length=64, num_mel_bins=32)
        return t.ASTModel(config), t.ASTFeatureExtractor(max_length=64, num_mel_bins=32)
    audio = {**SMALL, "depths": [1, 1], "num_hidden_layers": 2, "patch_embeds_hidden_size": 8}
    audio |= {"hidden_size": 16, "num_attention_heads": [2, 2], "spec_size": 256, "window_size": 8}
    text = {**SMALL, "vocab_size": 9, "max_position_embeddings": 8}
    config = t.ClapConfig(text_config=text, audio_config=audio)
    return t.ClapModel(config), t.ClapFeatureExtractor(truncation="rand_trunc")
