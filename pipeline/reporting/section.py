"""What every page is put together of: sections, each drawn by a template of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.reporting.inputs import Absent
from pipeline.reporting.page_assets import TEMPLATES, jinja_environment, style_and_script


@dataclass(frozen=True)
class Section:
    """One part of a page, drawn by `<anchor>.html` from what `build` returns."""

    anchor: str
    title: str
    build: Callable[..., dict[str, Any] | Absent]


def build_sections(sections: Iterable[Section], *data: Any) -> dict[str, Any]:
    """What page.html takes: `sections`, (section, its data), and `left_out`, (section, why)."""
    built = [(section, section.build(*data)) for section in sections]
    return {
        "sections": [(s, drawn) for s, drawn in built if not isinstance(drawn, Absent)],
        "left_out": [(s, drawn.note) for s, drawn in built if isinstance(drawn, Absent)],
    }


def render_page(name: str, opening: dict[str, Any], sections: Iterable[Section], data: Any) -> str:
    """A page with a folder of templates and a style sheet called like it, as HTML."""
    folder = TEMPLATES / name
    return (
        jinja_environment(folder, TEMPLATES)
        .get_template(f"{name}.html")
        .render(
            opening=opening,
            **build_sections(sections, data),
            **style_and_script(folder / f"{name}.css"),
        )
    )


def page_templates(name: str) -> list[Path]:
    """The files beside the code that shape such a page, and so belong to its key."""
    shared = [TEMPLATES / file for file in ("page.html", "macros.html", "style.css", "script.js")]
    return [*shared, *sorted((TEMPLATES / name).iterdir())]
