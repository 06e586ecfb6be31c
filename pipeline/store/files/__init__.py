"""What a store writes for others: exports, matrices."""
