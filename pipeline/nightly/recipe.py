"""What a challenger is made by but data, and what names its bytes for good."""

from __future__ import annotations

import json

from pipeline.core.files.digest import digest_json
from pipeline.core.files.documents import reading
from pipeline.core.folders import CODE, MODELS
from pipeline.params import Params
from pipeline.store.trees.tree import Tree


def model_name(tree: Tree, model: str) -> str:
    """What names a model's bytes for good."""
    path = tree.file(f"{MODELS}/{model}/manifest.json")
    with reading(path):
        return f"{model} {json.loads(path.read_bytes())['key'][:16]}"


def recipe(tree: Tree, params: Params, model: str) -> str:
    """Digest of what makes challengers but data: options, features, code.

    Parameters
    ----------
    tree, params:
        Of the same time.
    """
    options = params.models[model]
    features = {name: params.features[name].options.model_dump() for name in options.features}
    code = tree.file(CODE).read_text(encoding="utf-8")
    return digest_json([options.model_dump(mode="json"), features, code])
