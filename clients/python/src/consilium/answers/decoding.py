"""The node's JSON as frozen dataclasses, by the types that they declare."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated, Any, Dict, Type, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import NodeFailed

D = TypeVar("D")


@dataclasses.dataclass(frozen=True)
class Key:
    """The name by which the node writes a field, in `Annotated`, where it is another one."""

    name: str


@dataclasses.dataclass(frozen=True)
class Declared:
    """A field: its name here and at the node, its type, and whether a node may leave it out."""

    name: str
    key: str
    type: Any
    is_optional: bool


_declared: Dict[Any, "tuple[Declared, ...]"] = {}


def fields(cls: Any) -> "tuple[Declared, ...]":
    """The fields of a class, in order."""
    if cls not in _declared:
        types = get_type_hints(cls, include_extras=True)
        _declared[cls] = tuple(_declare(one, types[one.name]) for one in dataclasses.fields(cls))
    return _declared[cls]


def _declare(field: "dataclasses.Field[Any]", kind: Any) -> Declared:
    key = field.name
    if get_origin(kind) is Annotated:
        kind, *extras = get_args(kind)
        key = next((one.name for one in extras if isinstance(one, Key)), key)
    is_optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
    return Declared(field.name, key, kind, is_optional)


def read(cls: Type[D], given: Dict[str, Any]) -> D:
    """Reads an object. Fields that are not known here are passed over: newer nodes may say more."""
    found = {}
    for one in fields(cls):
        if one.key in given or not one.is_optional:
            found[one.name] = value(one.type, given.get(one.key), f"{cls.__name__}.{one.key}")
    return cls(**found)


def value(kind: Any, given: Any, place: str) -> Any:
    """Reads a value of a type; `place` is named where it is of another one."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Union:
        inner = [one for one in arguments if one is not type(None)]
        return None if given is None else value(inner[0], given, place)
    if origin is list and isinstance(given, list):
        return [value(arguments[0], one, place) for one in given]
    if origin is tuple and isinstance(given, list):
        if len(arguments) == 2 and arguments[1] is ...:
            return tuple(value(arguments[0], one, place) for one in given)
        if len(given) == len(arguments):
            return tuple(value(one, each, place) for one, each in zip(arguments, given))
    elif kind is float:
        # JSON has no NaN; nodes write null where a number is none.
        if given is None:
            return math.nan
        if isinstance(given, (int, float)) and not isinstance(given, bool):
            return float(given)
    elif kind is int and isinstance(given, int) and not isinstance(given, bool):
        return given
    elif kind in (str, bool) and isinstance(given, kind):
        return given
    elif dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(given, dict):
        return read(kind, given)
    raise NodeFailed(f"the node's answer has no `{place}` as this version of the package knows it")


def written(given: Any) -> Any:
    """The JSON of what was read; fields that were absent are `null`."""
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        return {one.key: written(getattr(given, one.name)) for one in fields(type(given))}
    if isinstance(given, (list, tuple)):
        return [written(one) for one in given]
    return given
