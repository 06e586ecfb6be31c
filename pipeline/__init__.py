"""Multimodal batch pipeline: raw media in, versioned features, models and reports out."""
