"""What a training waits for, and how fast it goes, beside a plain DataLoader."""
