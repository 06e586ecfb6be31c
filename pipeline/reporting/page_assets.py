"""What every page has: templates, style, script, and the policy by which it asks no other host."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.reporting import format

TEMPLATES = Path(__file__).with_name("templates")


def jinja_environment(*folders: Path) -> Environment:
    """Jinja for the templates of these folders, the first that has one; what they write is escaped.

    A name that a template is not given is an error.
    """
    jinja = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    jinja.filters.update(
        percent=format.percent,
        amount=format.amount,
        points=format.points,
        count=format.count,
        size=format.size,
        listed=format.listed,
        humanize=format.humanize,
        tag=format.language_tag,
    )
    return jinja


def style_and_script(*styles: Path) -> dict[str, Markup | str]:
    """The style, with that of these files after it, the script, and the policy for both."""
    style = "".join(path.read_text(encoding="utf-8") for path in (TEMPLATES / "style.css", *styles))
    script = (TEMPLATES / "script.js").read_text(encoding="utf-8")
    return {"style": Markup(style), "script": Markup(script), "policy": policy(style, script)}


def policy(style: str, script: str) -> str:
    """A Content-Security-Policy that lets in this style, this script and data: URIs alone."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
