"""What a model is asked about: samples whose contents are bytes, words or files, not yet read."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.core import spans
from pipeline.core.errors import Rejected
from pipeline.core.files.digest import digest_bytes
from pipeline.raw.listing import NOT_A_FILE
from pipeline.raw.media_types import HEAD_BYTES, UNKNOWN, by_content, inline_types

# Of a file that is read whole into memory; a picture or a clip that is asked about has less.
MAX_BYTES = 1 << 30

Content = bytes | str | Path | Rejected


@dataclass(frozen=True)
class Sample:
    """One sample to be answered for.

    Parameters
    ----------
    contents:
        Modality → a file's path, or its bytes; of a modality that is written in tables, such as
        text, also the words themselves as `str`. A `Rejected` stands for what was to be there and
        was refused before it could be read.
    refused:
        Why the sample as a whole is none, such as a row of a table that cannot be read.
    """

    sample_id: str
    contents: Mapping[str, Content]
    refused: Rejected | None = None


@dataclass(frozen=True)
class Asset:
    """One modality's content as ingest would know it."""

    digest: str
    media_type: str
    data: bytes


def read_asset(modality: str, content: Content) -> Asset:
    """The bytes of a content, with their digest and media type as ingest tells them.

    Raises
    ------
    Rejected
        It was refused before, is no regular file (which is not opened: a pipe may never end), is
        larger than MAX_BYTES, or is gone or not readable.
    """
    if isinstance(content, Rejected):
        raise content
    if isinstance(content, Path):
        path, span = spans.split(str(content), spans.PATH)
        data = _read_file(Path(path))
        media_type = by_content(data[:HEAD_BYTES], Path(path).name)
        return Asset(
            spans.digest(digest_bytes(data), span),
            spans.join(media_type, spans.MEDIA_TYPE, span),
            data,
        )
    inline = inline_types().get(modality)
    if isinstance(content, str):
        if inline is None:
            raise Rejected("not_a_file", f"words are no {modality}: give a Path, or the bytes")
        # Bytes that are not UTF-8 go on as they stood there: cleaning mends or rejects them.
        content = content.encode(errors="surrogateescape")
    if len(content) > MAX_BYTES:
        raise _too_large()
    media_type = inline or by_content(content[:HEAD_BYTES], "") or UNKNOWN
    return Asset(digest_bytes(content), media_type, content)


def _read_file(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Rejected("not_a_file", NOT_A_FILE)
        if status.st_size > MAX_BYTES:
            raise _too_large()
        with open(path, "rb", opener=_open_at_once) as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise Rejected("missing_file", "there is no such file") from None
    except PermissionError:
        raise Rejected("not_readable", "this user may not read the file") from None
    except ValueError:  # a NUL in its name
        raise Rejected("bad_name", "no file can be called so") from None
    if len(data) > MAX_BYTES:
        raise _too_large()
    return data


def _open_at_once(path: str, flags: int) -> int:
    """Never wait for the other end of a pipe that has taken the file's place meanwhile."""
    return os.open(path, flags | os.O_NONBLOCK)


def _too_large() -> Rejected:
    return Rejected("too_large", f"it has more than {MAX_BYTES >> 20:,} MiB")
