"""Types of flow parameters, as the dashboard's form likes them: one field each, empty where nothing is said.

Left as `int | None`, a parameter would be two tabs in the form, "int" and "None", instead of a field.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import WithJsonSchema

Text = Annotated[str | None, WithJsonSchema({"type": "string"})]
Whole = Annotated[int | None, WithJsonSchema({"type": "integer"})]
Number = Annotated[float | None, WithJsonSchema({"type": "number"})]
