"""Constructors of frozen classes that are made for every link, in half the time.

A frozen class sets its fields by a call for each, a third of what a request costs. Here they are set while
the object is of an open class with the same slots, and the object is given its own class at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import attrs

__all__ = ["draft_of", "function_of", "quickly_made"]

T = TypeVar("T")


def quickly_made(model: type[T]) -> type[T]:
    """Give a frozen, slotted attrs class an `__init__` that does the same in half the time.

    It keeps its signature, and has converters and `__attrs_post_init__` where the class has them. An object
    of a subclass is made as attrs makes it.
    """
    made_by_attrs: Any = model.__init__
    names: dict[str, Any] = {
        "Draft": draft_of(model),
        "Model": model,
        "become": object.__setattr__,
        "made_by_attrs": made_by_attrs,
    }
    parameters: list[str] = []
    given: list[str] = []
    converted: list[str] = []
    fields: Sequence[attrs.Attribute[Any]] = attrs.fields(model)  # type: ignore[arg-type]
    for field in fields:
        if not field.kw_only or not field.init or isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
            raise TypeError(
                f"{model.__name__}.{field.name}: only a keyword with a plain default is made quickly"
            )
        names[f"default_{field.name}"] = field.default
        parameters.append(
            field.name if field.default is attrs.NOTHING else f"{field.name}=default_{field.name}"
        )
        given.append(f"{field.name}={field.name}")
        converter: Any = getattr(field, "converter", None)
        if converter is not None:
            names[f"convert_{field.name}"] = converter
            converted.append(f"{field.name} = convert_{field.name}({field.name})")
    source = "\n    ".join(
        [
            f"def __init__(self, *, {', '.join(parameters)}):",
            "if type(self) is not Model:",
            f"    return made_by_attrs(self, {', '.join(given)})",
            *converted,
            "become(self, '__class__', Draft)",
            *(f"self.{field.name} = {field.name}" for field in fields),
            "self.__class__ = Model",
            *(["self.__attrs_post_init__()"] if hasattr(model, "__attrs_post_init__") else []),
        ]
    )
    quick = function_of("__init__", source, names, model)
    quick.__annotations__ = made_by_attrs.__annotations__
    quick.__qualname__ = made_by_attrs.__qualname__
    model.__init__ = quick  # type: ignore[method-assign]
    return model


def function_of(name: str, source: str, names: dict[str, Any], model: type[Any]) -> Any:
    """Return a function of what names refer to; its source is made of names of fields."""
    exec(compile(source, f"<the fields of {model.__qualname__}>", "exec"), names)  # noqa: S102
    return names[name]


def draft_of(model: type[Any]) -> type[Any]:
    """Return a class with a model's slots that can be written: a fifth of the price of its `__init__`.

    Raises:
        TypeError: Python cannot make a draft the model, as where it adds the slot for weak references.
    """
    free = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    slots = vars(model)["__slots__"]
    draft: Any = type(f"Draft{model.__name__}", model.__bases__, {"__slots__": slots, **free})
    draft.__new__(draft).__class__ = model
    return draft  # type: ignore[no-any-return]
