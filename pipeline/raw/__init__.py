"""Raw batches: where they lie, what lies in them, tables and media types."""
