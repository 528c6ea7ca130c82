"""Dataclasses that are quick to define and to make.

`dataclasses.dataclass` compiles each method of a class by itself, in about a tenth of a millisecond. A process with one
question defines some fifty classes. Here only the constructor is compiled, when it is first asked for. The other
methods are closures.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

__all__ = ["copier", "dataclass", "filler"]

T = TypeVar("T")

_Fields: TypeAlias = tuple[Field[Any], ...]
_Methods: TypeAlias = dict[str, Callable[..., Any]]


class _Unset:
    """In place of an argument whose default is made for each call."""

    def __repr__(self) -> str:
        return "<factory>"


_UNSET: Final = _Unset()


def _dataclass(cls: type[T] | None = None, /, **options: bool) -> Any:
    """As `dataclasses.dataclass`, with its options `repr`, `eq`, `frozen`, `slots` and `kw_only`. A frozen class needs
    slots. Its constructor takes half the time of the usual one, which looks up each field by its name to set it.
    """
    return (lambda cls: _defined(cls, **options)) if cls is None else _defined(cls, **options)


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    dataclass = _dataclass


def _defined(
    cls: type,
    *,
    repr: bool = True,
    eq: bool = True,
    frozen: bool = False,
    slots: bool = False,
    kw_only: bool = False,
) -> type:
    known: list[Any] = [base.__dict__.get("__dataclass_params__") for base in cls.__mro__]
    above = any(each is not None and each.frozen for each in known)
    bare = dataclasses.dataclass(init=False, repr=False, eq=False, frozen=above, slots=slots, kw_only=kw_only)
    cls.__doc__ = cls.__doc__ or cls.__name__  # else a signature is made of the whole class
    made: Any = bare(cls)
    fields = dataclasses.fields(made)
    methods: _Methods = _frozen(made, fields) if frozen else {}
    methods |= {"__repr__": _repr_of(fields)} if repr else {}
    if eq:
        methods["__eq__"] = _eq_of(fields)
        if made.__dict__.get("__hash__") is None:  # a class with an `__eq__` of its own has `None` here
            made.__hash__ = _hash_of(fields) if frozen else None
    for name, method in methods.items():
        if name not in made.__dict__:
            method.__name__, method.__qualname__ = name, f"{made.__qualname__}.{name}"
            method.__module__ = made.__module__
            setattr(made, name, method)
    made.__dataclass_params__.frozen = frozen
    if "__init__" not in made.__dict__:
        made.__init__ = _Constructor(made)
    return cast("type", made)


class _Constructor:
    """In place of the constructor of a dataclass, until someone asks for that."""

    __slots__ = ("_cls",)

    def __init__(self, cls: type) -> None:
        self._cls = cls

    def __get__(self, instance: object, owner: type) -> Any:
        made = _init_of(self._cls)
        if self._cls.__dict__["__init__"] is self:  # in place: another thread may have been quicker
            setattr(self._cls, "__init__", made)  # noqa: B010  mypy takes no other way
        return made.__get__(instance, owner)


def _init_of(cls: Any) -> Callable[..., None]:
    """Compile the constructor of a class. Its globals are those of the class's module, so that its annotations can be
    resolved.
    """
    known: dict[str, Any] = {"_unset": _UNSET}
    fields = dataclasses.fields(cls)
    given = [field for field in fields if field.init]
    named = [_parameter(field, known) for field in given if field.kw_only]
    parameters = [_parameter(field, known) for field in given if not field.kw_only]
    parameters += ["*", *named] if named else []
    lines = [
        f"def __init__({', '.join(['self', *parameters])}):",
        *(f" {line}" for line in _settings(cls, _values(fields, known), known)),
        " self.__post_init__()" if hasattr(cls, "__post_init__") else " pass",
        "return __init__",
    ]
    made_here: dict[str, Any] = {}
    body = "\n ".join([f"def making({', '.join(known)}):", *lines])
    exec(body, vars(sys.modules[cls.__module__]), made_here)  # noqa: S102  it holds names of fields only
    made: Callable[..., None] = made_here["making"](**known)
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = {field.name: field.type for field in given} | {"return": None}
    return made


def _parameter(field: Field[Any], known: dict[str, Any]) -> str:
    """The parameter of a field; `known` receives its default."""
    if field.default_factory is not MISSING:
        return f"{field.name}=_unset"
    if field.default is MISSING:
        return field.name
    known[f"_default_{field.name}"] = field.default
    return f"{field.name}=_default_{field.name}"


def _values(fields: _Fields, known: dict[str, Any]) -> dict[str, str]:
    """Field → the expression for its value in a constructor; `known` receives what they name."""
    values = {}
    for field in fields:
        name = value = field.name
        if field.default_factory is not MISSING:
            known[f"_make_{name}"] = field.default_factory
            value = f"_make_{name}() if {name} is _unset else {name}" if field.init else f"_make_{name}()"
        elif not field.init:
            if field.default is MISSING:
                continue
            known[value := f"_default_{name}"] = field.default
        values[name] = value
    return values


def _settings(cls: Any, values: Mapping[str, str], known: dict[str, Any]) -> list[str]:
    """The lines that set the fields of `self`; `known` receives what they name."""
    if not cls.__dataclass_params__.frozen:
        return [f"self.{name} = {value}" for name, value in values.items()]
    twin = _twin_of(cls)
    if twin is None:
        known |= {f"_set_{name}": getattr(cls, name).__set__ for name in values}
        return [f"_set_{name}(self, {value})" for name, value in values.items()]
    known |= {"_cls": cls, "_twin": twin, "_turn": _turn, "_set": object.__setattr__, "_zip": zip}
    known["_names"] = tuple(values)
    return [
        "if self.__class__ is _cls:",
        " _turn(self, _twin)",
        *(f" self.{name} = {value}" for name, value in values.items()),
        " self.__class__ = _cls",
        "else:",
        f" for _name, _value in _zip(_names, ({', '.join(values.values())},)): _set(self, _name, _value)",
    ]


_MANY: Final = 5
"""Fields from which on an instance is made as one of a twin."""
_turn: Final = object.__dict__["__class__"].__set__
"""Lets an instance be one of another class."""


def _twin_of(cls: type) -> Any:
    """A class of the same slots as a frozen one, which lets them be set: an instance is one of it while it is made,
    since Python sets an attribute in a tenth of the time of a call. `None` for a class of few fields, and for one that
    inherits more than methods.
    """
    inherited = [vars(base) for base in cls.__mro__[1:-1]]
    plain = all(not base.get("__slots__", True) and not _HOOKS & base.keys() for base in inherited)
    if not plain or len(dataclasses.fields(cast("Any", cls))) < _MANY:
        return None
    twin: Any = type(cls.__name__, cls.__bases__, {"__slots__": vars(cls)["__slots__"]})
    twin.__abstractmethods__ = frozenset()  # those of the class stand in itself
    return twin


_HOOKS: Final = frozenset({"__init_subclass__", "__setattr__", "__set_name__"})


def _frozen(cls: type, fields: _Fields) -> _Methods:
    """The methods that refuse changes, and those that pickle in spite of that."""
    names = [field.name for field in fields]

    def set_attribute(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)  # a subclass may have more

    def delete_attribute(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        object.__delattr__(self, name)

    def names_of(self: Any) -> Sequence[str]:
        return names if type(self) is cls else [field.name for field in dataclasses.fields(self)]

    def get_state(self: Any) -> list[Any]:
        return [getattr(self, name) for name in names_of(self)]

    def set_state(self: Any, state: Sequence[Any]) -> None:
        for name, value in zip(names_of(self), state, strict=True):
            object.__setattr__(self, name, value)

    refusing: _Methods = {"__setattr__": set_attribute, "__delattr__": delete_attribute}
    return {**refusing, "__getstate__": get_state, "__setstate__": set_state}


def _values_of(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """The function that gives the values of some fields."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda one: tuple([getattr(one, name) for name in names])


def _repr_of(fields: _Fields) -> Callable[[Any], str]:
    names = [field.name for field in fields if field.repr]

    @recursive_repr()
    def shown(self: Any) -> str:
        return (
            f"{type(self).__qualname__}({', '.join([f'{name}={getattr(self, name)!r}' for name in names])})"
        )

    return shown


def _eq_of(fields: _Fields) -> Callable[[Any, object], bool]:
    values = _values_of([field.name for field in fields if field.compare])

    def equal(self: Any, other: object) -> bool:
        return values(self) == values(other) if type(other) is type(self) else NotImplemented

    return equal


def _hash_of(fields: _Fields) -> Callable[[Any], int]:
    values = _values_of([field.name for field in fields if field.compare])
    return lambda self: hash(values(self))


def filler(cls: type[T]) -> Callable[..., T]:
    """A constructor that takes every field by position, in a third of the time. `cls` is a frozen dataclass with slots
    and many fields.
    """
    names = [field.name for field in dataclasses.fields(cast("Any", cls))]
    known: dict[str, Any] = {"_new": object.__new__, "_cls": cls, "_twin": _twin_of(cls)}
    lines = [f"def filled({', '.join(names)}):", "made = _new(_twin)"]
    lines += [*(f"made.{name} = {name}" for name in names), *_ending(cls), "return made"]
    exec("\n ".join(lines), known)  # noqa: S102  it holds names of fields only
    filled: Callable[..., T] = known["filled"]
    return filled


def _ending(cls: type) -> list[str]:
    """The lines after which `made` is an instance of the class."""
    return ["made.__class__ = _cls", *(["made.__post_init__()"] if hasattr(cls, "__post_init__") else [])]


def copier(cls: type[T]) -> Callable[[T, Mapping[str, Any]], T]:
    """The function that copies an instance with other values in some fields: `dataclasses.replace`, in a fifth of the
    time. `cls` is as for `filler`.
    """
    setters = {field.name: getattr(cls, field.name).__set__ for field in dataclasses.fields(cast("Any", cls))}
    known: dict[str, Any] = {"_new": object.__new__, "_cls": cls, "_twin": _twin_of(cls), "_setters": setters}
    lines = ["def copied(one, changes):", "made = _new(_twin)"]
    lines += [f"made.{name} = one.{name}" for name in setters]
    turn, *rest = _ending(cls)
    lines += [turn, "for name in changes: _setters[name](made, changes[name])", *rest, "return made"]
    exec("\n ".join(lines), known)  # noqa: S102  it holds names of fields only
    copied: Callable[[T, Mapping[str, Any]], T] = known["copied"]
    return copied
