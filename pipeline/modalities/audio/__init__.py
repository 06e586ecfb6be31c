"""Audio: mono sound at 16 kHz, decoded, cleaned and augmented."""
