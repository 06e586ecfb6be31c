"""The store over time: what differs between two revisions, and what each revision holds."""

from __future__ import annotations

import typer

app = typer.Typer()
