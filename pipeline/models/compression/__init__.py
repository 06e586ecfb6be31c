"""A model made smaller and faster, and the proof that it answers no worse."""
