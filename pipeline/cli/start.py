"""The command as it is installed: Ctrl-C ends it quietly while it is still being loaded."""

from __future__ import annotations

import sys


def start() -> None:
    """Run the command."""
    try:
        from pipeline.cli.main import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)
