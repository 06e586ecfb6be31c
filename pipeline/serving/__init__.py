"""A model behind HTTP, to try it, and for a container: see docs/handover.md."""
