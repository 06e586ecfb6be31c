"""What each modality gives to a model's answers."""
