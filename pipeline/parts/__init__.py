"""Key → part → manifest: how a stage's rows are named, made and kept."""
