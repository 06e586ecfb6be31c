"""Templates → Markdown in which a name from the data is shown as it stands, whatever is in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from pipeline.reporting.page_assets import jinja_environment

TEMPLATES = Path(__file__).with_name("templates")
# An underscore within a word is one.
_MARKS = re.compile(r"[\\`*\[\]<>|#~&]|(?<!\w)_|_(?!\w)")
_BREAK = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")


def render(template: str, **values: Any) -> str:
    """What a template of this folder makes of these values."""
    text = _jinja().get_template(template).render(values)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def escaped(text: str) -> str:
    """Text on one line, of which Markdown makes nothing but text."""
    return _MARKS.sub(lambda mark: f"\\{mark[0]}", _BREAK.sub(" ", text))


def code(text: str) -> Markup:
    """Text as code, in a table too."""
    return Markup("`" + _BREAK.sub(" ", str(text).replace("`", "'")).replace("|", "\\|") + "`")


def prose(text: str) -> Markup:
    """A person's own Markdown; what is blank is said to be open."""
    return Markup(text.strip() or "*Open: params.yaml does not say it.*")


def _jinja() -> Environment:
    environment = jinja_environment(TEMPLATES).overlay(finalize=_finalize)
    environment.filters.update(code=code, prose=prose)
    return environment


def _finalize(value: Any) -> Any:
    """Whatever a template shows, unless it is Markdown already."""
    return value if isinstance(value, Markup) else Markup(escaped(str(value)))
