"""Holds the methods of an object to the shapes that they state in their annotations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from types import MethodType
from typing import Any, TypeVar, get_args, get_type_hints

from beartype import beartype
from jaxtyping import Bool, Float, Int, jaxtyped
from torch import Tensor

from pipeline.models.sequences import TokenSequence

T = TypeVar("T")
# What modules import for type checkers alone.
NAMES: dict[str, Any] = {"Tensor": Tensor, "Bool": Bool, "Float": Float, "Int": Int}
# Of a named tuple its class alone would be looked at, and not what it holds.
NAMES["TokenSequence"] = tuple[*get_type_hints(TokenSequence, localns=NAMES).values()]


@cache
def held(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which now raises jaxtyping.TypeCheckError where a tensor is not as stated."""
    function.__annotations__ = hints(function)  # jaxtyped resolves names in its module alone
    return jaxtyped(function, typechecker=beartype)


def hold(one: T) -> T:
    """The object, each of whose public methods is held."""
    for name, method in methods(type(one)).items():
        setattr(one, name, MethodType(held(method), one))
    return one


def methods(kind: type) -> dict[str, Callable[..., Any]]:
    """The public methods that a class defines itself."""
    result = ((name, one) for name, one in vars(kind).items() if inspect.isfunction(one))
    return {name: method for name, method in result if not name.startswith("_")}


def hints(function: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(function, localns=NAMES)


def parts(hint: Any) -> Iterator[Any]:
    """A hint and those within it: a stated tensor is one type, and none is within."""
    yield hint
    for inner in get_args(hint):
        yield from parts(inner)
