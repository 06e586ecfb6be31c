"""What is computed of a file once, however many spans are taken of it.

Spans of a film each need to know all of it: its times, its bars, what is spoken. A process
remembers this of the files that it was last asked about, by their digest, and refusals too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, TypeVarTuple, cast

from pipeline.core.errors import Rejected
from pipeline.core.files.file_bytes import Bytes, digest_of

Data = TypeVar("Data", bound=Bytes)
Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

# Files that are remembered; of an hour's film about 3 MB of times and words.
REMEMBERED = 32

_results: dict[str, dict[Hashable, Any]] = {}
# The bytes that were asked about last, so that they are digested once.
_latest: tuple[Bytes, str] = b"", digest_of(b"")


def once_a_file(
    function: Callable[[Data, *Arguments], Result],
) -> Callable[[Data, *Arguments], Result]:
    """The function, called once for the same bytes and arguments.

    Its results are shared, so they must not be changed. Of what it raises only Rejected is
    remembered.
    """

    @functools.wraps(function)
    def remembered(data: Data, *arguments: *Arguments) -> Result:
        results, asked = _results_of(data), (function, arguments)
        if asked not in results:
            try:
                results[asked] = function(data, *arguments)
            except Rejected as rejected:
                # Without its traceback, which holds the file.
                results[asked] = Rejected(rejected.reason, rejected.message)
        result = results[asked]
        if isinstance(result, Rejected):
            raise Rejected(result.reason, result.message)
        return cast(Result, result)

    return remembered


def _results_of(data: Bytes) -> dict[Hashable, Any]:
    """What is remembered of a file, which is now the latest."""
    global _latest
    latest, digest = _latest
    if data is not latest:
        digest = digest_of(data)
        _latest = data, digest
    results = _results[digest] = _results.pop(digest, {})
    for oldest in list(_results)[:-REMEMBERED]:
        _results.pop(oldest, None)
    return results
