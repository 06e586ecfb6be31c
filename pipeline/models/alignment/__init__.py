"""One space for several modalities, learned from what occurs together and without labels."""
