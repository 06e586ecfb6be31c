"""The page of the comparison: which model is better, by how much, and which labels look wrong."""
