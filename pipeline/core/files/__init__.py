"""Files: digests, writes that appear whole, locks, where DVC keeps its cache."""
