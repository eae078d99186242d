"""The files of deployments/ as Docker Compose, a builder of images and systemd read them, as far as tests need it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
DEPLOYMENTS = ROOT / "deployments"
COMPOSE, DOCKERFILE, SYSTEMD = DEPLOYMENTS / "compose.yaml", DEPLOYMENTS / "Dockerfile", DEPLOYMENTS / "systemd"
_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<what>[^}]*))?\})")
_SYSTEMDS = re.compile(r"\$\{(\w+)\}")


# ── Docker Compose ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Service:
    """A service of compose.yaml, as it would run."""

    name: str
    told: Mapping[str, Any]

    @property
    def command(self) -> list[str]:
        """Words of its command; none where the image decides."""
        return _words(self.told.get("command", []))

    @property
    def environment(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.told.get("environment", {}).items()}

    @property
    def healthcheck(self) -> list[str]:
        """Words of what asks whether it is well; none where nothing does."""
        kind, *words = self.told.get("healthcheck", {}).get("test", ["NONE"])
        assert kind in ("CMD", "NONE"), kind
        return words

    @property
    def volumes(self) -> dict[str, str]:
        """What is mounted, by the place in the container: `/workspace`."""
        pairs = [volume.split(":") for volume in self.told.get("volumes", [])]
        return {target: source for source, target, *_ in pairs}


def services(told: Mapping[str, str]) -> dict[str, Service]:
    """Every service, where the variables of compose.yaml stand for what they are told.

    Raises:
        KeyError: one that has to be told is not.
    """
    parsed = interpolated(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")), told)
    return {name: Service(name, service) for name, service in parsed["services"].items()}


def interpolated(node: Any, told: Mapping[str, str]) -> Any:
    """A parsed file with `${NAME}`, `${NAME:-default}` and `${NAME:?why}` replaced, and `$$` made a `$`."""
    if isinstance(node, dict):
        return {key: interpolated(value, told) for key, value in node.items()}
    if isinstance(node, list):
        return [interpolated(value, told) for value in node]
    return _VARIABLE.sub(lambda found: _value(found, told), node) if isinstance(node, str) else node


def variables(pattern: str = ".*") -> set[str]:
    """Names of the variables that compose.yaml refers to in such a way: `:-`, `:?`."""
    found = _VARIABLE.finditer(COMPOSE.read_text(encoding="utf-8"))
    return {one["name"] for one in found if one["name"] and re.fullmatch(pattern, one["how"] or "")}


def _value(found: re.Match[str], told: Mapping[str, str]) -> str:
    if found["dollar"]:
        return "$"
    value = told.get(found["name"], "")
    if not value and found["how"] != ":-":
        raise KeyError(found["name"])
    return value or found["what"]


# ── a builder of images ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Instruction:
    """One instruction of the Dockerfile: `RUN`, and what."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The words of a JSON list, or of a line."""
        return _words(yaml.safe_load(self.text) if self.text.startswith("[") else self.text)


@cache
def dockerfile() -> tuple[Instruction, ...]:
    """Every instruction, lines that go on put together."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [line.strip() for line in re.sub(r"\\\n\s*", "", text).splitlines()]
    return tuple(Instruction(*line.split(None, 1)) for line in lines if line)


def image_environment() -> dict[str, str]:
    """What the image tells every process; what follows in PATH is the base image's."""
    told: dict[str, str] = {}
    for instruction in dockerfile():
        if instruction.name == "ENV":
            told |= dict(word.split("=", 1) for word in instruction.words)
    return told | {"PATH": told["PATH"].removesuffix(":$PATH")}


def image_healthcheck() -> list[str]:
    (told,) = [one.text for one in dockerfile() if one.name == "HEALTHCHECK"]
    return _words(yaml.safe_load(told.split("CMD", 1)[1]))


# ── systemd ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Unit:
    """A unit with its drop-ins: settings in their order, a name as often as it was said."""

    name: str
    settings: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.settings if key == name]

    def last(self, name: str) -> str:
        return self.all(name)[-1]

    @property
    def environment(self) -> dict[str, str]:
        """What `Environment=` says; files of secrets are others'."""
        return dict(word.split("=", 1) for line in self.all("Environment") for word in shlex.split(line))

    def commands(self, name: str, environment: Mapping[str, str]) -> list[list[str]]:
        """Words of every `ExecStart=`, or what `name` is; `${NAME}` is the environment's.

        A command may fail where its line begins with a `-`; such a line's first word keeps it.
        """
        lines = [shlex.split(line) for line in self.all(name)]
        return [[_SYSTEMDS.sub(lambda found: environment[found[1]], word) for word in words] for words in lines]


def unit(name: str) -> Unit:
    """A unit of deployments/systemd, with the drop-in for all whose names begin with `nightcast-`."""
    common = sorted((SYSTEMD / "nightcast-.service.d").glob("*.conf")) if name.endswith(".service") else []
    text = "\n".join(file.read_text(encoding="utf-8") for file in (SYSTEMD / name, *common))
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    settings = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
    return Unit(name, tuple((key.strip(), value.strip()) for key, value in settings))


def units(kind: str = "service") -> list[Unit]:
    return [unit(file.name) for file in sorted(SYSTEMD.glob(f"*.{kind}"))]


def environment_file(file: Path, **secrets: str) -> dict[str, str]:
    """A file for `EnvironmentFile=`, where words such as PASSWORD stand for a secret."""
    text = file.read_text(encoding="utf-8")
    lines = [line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#")]
    told = {name: shlex.split(value)[0] if value else "" for name, value in lines}
    for word, secret in secrets.items():
        told = {name: re.sub(rf"\b{word}\b", secret, value) for name, value in told.items()}
    return told


def servers_toml() -> str:
    """What docs/deploy.md puts into nightcast.toml beside the worker's unit."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(told)


def _words(told: Any) -> list[str]:
    return shlex.split(told) if isinstance(told, str) else [str(word) for word in told]
