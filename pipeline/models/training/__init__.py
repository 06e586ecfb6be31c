"""From examples to weights: batches, losses, steps, and what is kept so that it can go on."""
