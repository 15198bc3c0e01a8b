"""Product numbers of a service: a versioned YAML file, validated when the process starts. Knows no number itself."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tern_common.errors import Misconfigured


class Policy(BaseModel):
    """Base of every service's policy: unknown keys are refused, since a misspelt number would silently not count."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = Field(ge=1, description="Raised with every change, so that a decision can name what it was made by.")


M = TypeVar("M", bound=BaseModel)


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice: YAML would quietly keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key stands twice", node.start_mark)
        return mapping


def load_policy(path: Path, model: type[M]) -> M:
    """The file as `model`. Raises `Misconfigured` that names the file and every field that is wrong."""
    try:
        return model.model_validate(_read(path))
    except ValidationError as wrong:
        faults = "; ".join(f"{_place(error['loc'])}: {error['msg']}" for error in wrong.errors())
        raise Misconfigured(f"{path}: {faults}") from None


def written_policy(path: Path) -> dict[str, Any]:
    """The file as it is written; whether its numbers are sound, the service says. Raises `Misconfigured`."""
    written = _read(path)
    if not isinstance(written, dict):
        raise Misconfigured(f"{path}: is no policy, which is a list of names and numbers")
    return written


def _read(path: Path) -> object:
    try:
        # The loader is PyYAML's safe one, made stricter.
        return yaml.load(path.read_text("utf-8"), _StrictLoader)  # noqa: S506
    except OSError as wrong:
        raise Misconfigured(f"{path}: cannot be read: {wrong.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as wrong:
        raise Misconfigured(f"{path}: is not YAML: {' '.join(str(wrong).split())}") from None


def _place(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc) or "the file"
