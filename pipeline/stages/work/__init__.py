"""What the stages do to their inputs, and nothing of where or when it is done."""
