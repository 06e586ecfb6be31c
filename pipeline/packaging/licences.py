"""Licences as people write them → as the Hugging Face hub names them, and which let copies be made.

The hub refuses a card whose `license` is none of its list
(https://huggingface.co/docs/hub/repositories-licenses).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

# Those that let anybody hand on a copy, at most with its notices.
PERMISSIVE = frozenset((
    "apache-2.0", "mit", "afl-3.0", "artistic-2.0", "bsl-1.0", "bsd", "bsd-2-clause",
    "bsd-3-clause", "bsd-3-clause-clear", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0",
    "cc-by-4.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "ecl-2.0", "etalab-2.0", "isc",
    "ncsa", "ofl-1.1", "postgresql", "unlicense", "wtfpl", "zlib", "odc-by", "pddl",
))  # fmt: skip
HUB = PERMISSIVE | frozenset((
    "openrail", "bigscience-openrail-m", "creativeml-openrail-m", "bigscience-bloom-rail-1.0",
    "bigcode-openrail-m", "c-uda", "cc", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0",
    "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cdla-sharing-1.0", "epl-1.0",
    "epl-2.0", "eupl-1.1", "agpl-3.0", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-2.1",
    "lgpl-3.0", "lppl-1.3c", "ms-pl", "mpl-2.0", "odbl", "openrail++", "osl-3.0", "lgpl-lr",
    "deepfloyd-if-license", "llama2", "gemma", "unknown",
))  # fmt: skip
_LATER = re.compile(r"(-only|-or-later|\+)$")


def hub_name(licence: str) -> str | None:
    """What the hub calls a licence: of "GPL-2+" `gpl-2.0`; None if it is none of its list."""
    return next((name for name in _spellings(licence) if name in HUB), None)


def hub_fields(licence: str) -> dict[str, Any]:
    """The fields of a card's header that say it; none where it is blank."""
    if not licence:
        return {}
    name = hub_name(licence)
    if name:
        return {"license": name}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", licence.lower())}


def lets_copy(licence: str) -> bool:
    """Whether a licence is known to let anybody hand on what stands under it."""
    return hub_name(licence) in PERMISSIVE


def _spellings(licence: str) -> Iterator[str]:
    plain = _LATER.sub("", re.sub(r"[\s_]+", "-", licence.strip().lower()))
    return iter((plain, f"{plain}.0"))
