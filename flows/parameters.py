"""Types of flow parameters, as the dashboard's form likes them: one field each, empty where nothing is said.

As `int | None` a parameter would be two tabs in the form, "int" and "None". As an integer whose default is null the
server would refuse the null that the form sends for an empty field; without any default it takes it.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class _WithoutDefault(dict[str, Any]):
    """A schema that pydantic cannot add the default to, once it describes the parameter."""

    def __setitem__(self, key: str, value: Any) -> None:
        if key != "default":
            super().__setitem__(key, value)


class _Field:
    """One field of a form, which may stay empty."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return _WithoutDefault(type=self._kind)


Text = Annotated[str | None, _Field("string")]
Whole = Annotated[int | None, _Field("integer")]
Number = Annotated[float | None, _Field("number")]
