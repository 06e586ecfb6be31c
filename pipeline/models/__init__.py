"""What is trained: towers, their fusion, heads; and how well it does."""
