"""What the row-wise stages do to one part, and nothing of where or when it is done."""
