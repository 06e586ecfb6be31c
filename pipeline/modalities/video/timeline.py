"""Which pictures of a film are taken: those that are shown at given times.

Times are those of presentation, in ms from the film's beginning, never a picture's number by a
rate: where pictures come at uneven times, each stands where it is seen. A picture is shown from its
time until the next one's.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

Picture = TypeVar("Picture")


def moments(duration: int, every_ms: int | None, most: int) -> list[int]:
    """The times, in ms, at which a film of so many ms is looked at.

    Each `every_ms` from 0 on; where that is None, or would make more than `most`, the middles of
    `most` equal stretches.
    """
    if every_ms is not None and duration <= every_ms * most:
        return list(range(0, max(1, duration), every_ms))
    count = min(most, max(1, duration))
    return [(2 * place + 1) * duration // (2 * count) for place in range(count)]


def shown_at(
    pictures: Iterable[tuple[int, Picture]], times: Sequence[int]
) -> Iterator[tuple[int, Picture]]:
    """Of pictures with ascending times those that are shown at some of `times`, each once.

    Before the first picture the first one counts as shown. What comes after the last is not asked
    for.
    """
    held, at = None, 0
    for time, picture in pictures:
        if held is not None and at < len(times) and times[at] < time:
            yield held
            at = bisect_left(times, time)
        if at == len(times):
            return
        held = time, picture
    if held is not None:
        yield held


def shown_or_beside(pictures: Sequence[int], times: Sequence[int]) -> set[int]:
    """Of ascending times of pictures those shown at some of `times`, and their neighbours'.

    The neighbours because two fields that make one picture may have a time each.
    """
    places = {bisect_right(pictures, time) - 1 for time in times}
    return {each for place in places for each in pictures[max(0, place - 1) : place + 2]}


def any_within(times: Sequence[int], start: float, end: float) -> bool:
    """Whether one of ascending times lies in [start, end)."""
    at = bisect_left(times, start)
    return at < len(times) and times[at] < end
