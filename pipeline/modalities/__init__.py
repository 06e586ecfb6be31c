"""One modality a folder: what its content is, how it is decoded, cleaned and augmented."""
