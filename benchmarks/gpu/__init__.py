"""What a card gives, how much of it arrives, and whether the law of batches holds on it."""
