"""SVG elements as escaped markup."""

from __future__ import annotations

from markupsafe import Markup, escape

Value = str | float | int


def tag(name: str, *children: str | Markup, **attributes: Value | None) -> Markup:
    """One element: `stroke_width=2` is written stroke-width="2", `class_` class, None left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(escape(child) for child in children)
    # Names come from this package, never from data.
    return Markup(f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>")


def number(value: Value) -> str:
    """A coordinate to two decimals without trailing zeros; text as it is."""
    if isinstance(value, str):
        return value
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def share(value: float) -> str:
    """A share of the width, 0 to 1, as a percentage within the drawing."""
    return f"{number(100 * min(max(value, 0.0), 1.0))}%"


def drawing(label: str, *children: Markup, **attributes: Value | None) -> Markup:
    """A picture with a text for those who do not see it."""
    return tag("svg", tag("title", label), *children, role="img", aria_label=label, **attributes)
