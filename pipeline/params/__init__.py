"""params.yaml → one frozen, validated object; every mistake in it said at once, by its path."""

from pipeline.params.reading import load, parse, read_instructions
from pipeline.params.sections import FeatureSet, Params

__all__ = ["FeatureSet", "Params", "load", "parse", "read_instructions"]
