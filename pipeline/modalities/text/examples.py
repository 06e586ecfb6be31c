"""Texts for the tests that hold for all modalities and encoders."""

from __future__ import annotations

# Whatever is left of a text is a text.
TELLS_DAMAGE = False


def files() -> dict[str, bytes]:
    return {"text/plain": "Ein kleiner, weißer Hund und τρία πρόβατα".encode()}


def contents() -> list[str]:
    return ["wolf", "Ein kleiner Hund", "Τρία λευκά πρόβατα", "крокодил " * 20, "8", "犬"]
