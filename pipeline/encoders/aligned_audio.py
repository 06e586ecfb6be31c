"""Sounds in a space that a model of this package has learned for several modalities.

The model has an `alignment`, and `pipeline freeze` has written it into a folder: what belongs
together lies close together there, whatever modality it is of. A vector has length 1.
"""

from __future__ import annotations

from pipeline.encoders import _aligned

MODALITY = "audio"
LICENCE, COST_MS, Options = _aligned.LICENCE, _aligned.COST_MS, _aligned.Options
_ALIGNED = _aligned.Aligned(MODALITY)
shape, weights, parameters, modules, space, Encoder = (
    _ALIGNED.shape,
    _ALIGNED.weights,
    _ALIGNED.parameters,
    _ALIGNED.modules,
    _ALIGNED.space,
    _ALIGNED.encoder,
)
