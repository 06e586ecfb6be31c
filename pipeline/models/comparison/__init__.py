"""Which model is better, and is it sure: cross-validation and paired comparison of models."""
