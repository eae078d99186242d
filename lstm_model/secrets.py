"""Secrets: said by the environment alone, and never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from lstm_model.errors import SettingsError

HIDDEN = "***"
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_NAMES_A_SECRET = re.compile(
    r"(?:key|token|secret|password|passwd|pwd|auth|authorization|cookie|signature|appid|credentials?|headers)$",
    re.IGNORECASE,
)
_PASSWORD = re.compile(r"(?<=://)(?P<user>[^:/?#@\s]*):(?!\d+[/?#])(?P<secret>[^@]+)(?=@)")
_ADDRESS = re.compile(r"^(\w+://[^/?#]+)[/?#].+$", re.DOTALL)
_PARAMETER = re.compile(r"(?<=[?&])(?P<name>[^=&#]+)=(?P<secret>[^&#]+)")


def masked(name: str, value: Any) -> Any:
    """A setting as it may be shown: what looks like a secret and is no `${NAME}` is hidden.

    >>> masked("url", "postgresql://me:1234@db/house?sslmode=require")
    'postgresql://me:***@db/house?sslmode=require'
    >>> masked("headers", {"Authorization": "Bearer ${TOKEN}", "X-Api-Key": "1234"})
    {'Authorization': 'Bearer ${TOKEN}', 'X-Api-Key': '***'}
    >>> masked("webhook", "https://hooks.example.org/services/T1/B2/x3")
    'https://hooks.example.org/***'
    """
    if isinstance(value, Mapping):
        return {key: masked(str(key), part) for key, part in value.items()}
    if _NAMES_A_SECRET.search(name) and value is not None and not _is_reference(str(value)):
        return HIDDEN
    if not isinstance(value, str):
        return value
    if name == "webhook" and not _is_reference(value):  # whoever knows all of its address may post there
        value = _ADDRESS.sub(rf"\1/{HIDDEN}", value)
    hide = [found.span("secret") for found in _spoken(value)]
    for start, end in sorted(hide, reverse=True):
        value = value[:start] + HIDDEN + value[end:]
    return value


def _spoken(text: str) -> list[re.Match[str]]:
    """Where a text, such as a URL, says a secret itself."""
    named = [found for found in _PARAMETER.finditer(text) if _NAMES_A_SECRET.search(found["name"])]
    return [found for found in (*_PASSWORD.finditer(text), *named) if not _is_reference(found["secret"])]


def _is_reference(text: str) -> bool:
    return _REFERENCE.search(text) is not None


class Secrets:
    """What the environment says for `${NAME}`, and how to keep it out of every message."""

    def __init__(self, section: str, environment: Mapping[str, str]) -> None:
        """Those of one table of nightcast.toml, such as `source.cellar`."""
        self._section = section
        self._environment = environment
        self._values: set[str] = set()

    def reveal(self, setting: str, text: str) -> str:
        """The text with every `${NAME}` replaced.

        Args:
            setting: where the text stands, such as `headers.Authorization`.
            text: its value.

        Raises:
            SettingsError: it says a secret itself, or the environment does not say what it refers to.
        """
        self.refuse_plain(setting, text)
        return _REFERENCE.sub(lambda found: self._value(setting, found[1]), text)

    def reveal_in_url(self, setting: str, text: str) -> str:
        """The same for a URL: signs in a secret that mean something there are escaped.

        Raises:
            SettingsError: as above.
        """
        self.refuse_plain(setting, text)
        return _REFERENCE.sub(lambda found: quote(self._value(setting, found[1]), safe=""), text)

    def refuse_plain(self, setting: str, text: str) -> None:
        """Refuse a text that says a secret itself.

        Raises:
            SettingsError: names the setting and the way out.
        """
        if masked(setting, text) != text:
            raise SettingsError(
                f"{self._section}: {setting} holds a secret. Write ${{MY_SECRET}} in its place "
                "and set that variable in the environment."
            )

    def _value(self, setting: str, name: str) -> str:
        value = self._environment.get(name, "").strip()
        if not value:
            raise SettingsError(
                f"{self._section}: {setting} refers to ${{{name}}}, which the environment does not set."
            )
        self._values |= {value, quote(value, safe="")}
        return value

    def hide(self, text: str) -> str:
        """A message of any library without the secrets that were revealed."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, HIDDEN)
        return text
