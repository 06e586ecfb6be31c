"""Nights of a project's own data with planted faults, each of which must get the right verdict.

A batch of a source is cut into landings by a seeded plan, and a copy of the project lives through
them: the same run, the same gate, remotes and a webhook of its own, a clock that is set. What is
wanted of a night is known, for what was planted is. In the end all that was accepted is built anew,
and must be the same.
"""
