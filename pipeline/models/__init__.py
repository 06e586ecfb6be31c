"""What is trained: towers, their fusion, heads; how they are trained and measured."""
