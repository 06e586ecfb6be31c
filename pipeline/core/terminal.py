"""The one place that prints: text from elsewhere is shown as text, whatever stands in it.

Ids, paths, labels and messages come from data that anybody may have made. A control character in
them could move the cursor, set a title or hide a line, and a bracket would be markup to rich. So
control characters, marks that turn the direction of writing and bytes that are no UTF-8 are shown
as escapes, and nothing is read as markup. `tests/core/test_terminal.py` holds the commands to it.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

# Controls (C0, DEL, C1), breaks of line, marks of direction, tags that nothing shows, and
# surrogates, by which Python means bytes that are no UTF-8.
_UNSAFE = (
    r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    r"\U000e0000-\U000e007f\ud800-\udfff"
)
_CONTROL, _BESIDE_LINES = re.compile(f"[{_UNSAFE}]"), re.compile(rf"(?![\n\t])[{_UNSAFE}]")


def visible(value: object) -> str:
    """Text on one line, its control characters as escapes; a backslash as two, so that it can be
    read back."""
    return _CONTROL.sub(_escaped, str(value).replace("\\", "\\\\"))


def printable(message: object) -> str:
    """Text whose own breaks of line and tabs stand, other control characters as escapes."""
    return _BESIDE_LINES.sub(_escaped, str(message))


def text(value: object) -> Text:
    """The same for a table of rich, which reads markup in a string."""
    from rich.text import Text

    return Text(visible(value))


def json_line(value: Any, sort_keys: bool = False) -> str:
    """JSON of exactly the value, on one line without a control character."""
    return _CONTROL.sub(_json_escaped, json.dumps(value, ensure_ascii=False, sort_keys=sort_keys))


def say(message: object, error: bool = False, end: str = "\n") -> None:
    """Print a message, whose own breaks of line and tabs stand, or what was made visible before.

    Parameters
    ----------
    error:
        To the standard error, not the standard output.
    """
    file = sys.stderr if error else sys.stdout
    file.write(printable(message) + end)
    file.flush()


def say_tables(*tables: Table, width: int | None = None) -> None:
    """Print tables whose strings `text` made, `width` characters wide (None: as the terminal)."""
    from rich.console import Console

    console = Console(width=width, file=sys.stdout)
    for table in tables:
        console.print(table)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if "\udc80" <= character <= "\udcff":  # a byte that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode()


def _json_escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]
