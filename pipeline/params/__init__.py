"""params.yaml → one frozen, validated object; every mistake in it said at once, by its path."""

from pipeline.params.reading import load, parse
from pipeline.params.sections import FeatureSection, Params

__all__ = ["FeatureSection", "Params", "load", "parse"]
