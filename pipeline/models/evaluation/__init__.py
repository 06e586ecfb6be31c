"""How well a model does: figures with intervals, under absence and noise, and on disk."""
