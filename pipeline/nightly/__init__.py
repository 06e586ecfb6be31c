"""A night: what landed becomes batches, is judged, and the model in use moves or stays."""
