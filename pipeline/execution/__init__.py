"""Where work runs: interchangeable executors, never part of a key."""
