"""Reads single settings from the environment: text from a variable or a file, numbers within
bounds, yes or no.
"""

from collections.abc import Mapping
from pathlib import Path


class ConfigError(Exception):
    """A setting is missing or wrong; the message names it and says what to do."""


def secret(env: Mapping[str, str], name: str) -> str | None:
    """Return a secret from NAME, or from the file that NAME_FILE names."""
    file = env.get(f"{name}_FILE")
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"{name}_FILE cannot be read: {error}") from error
    return env.get(name) or None


def integer(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`, or the default if the variable is not set."""
    text = env.get(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise ConfigError(f"{name} must be a whole number from {low} to {high}, not {text!r}.")
    return int(text)


def boolean(env: Mapping[str, str], name: str, default: bool) -> bool:
    """Return yes or no, or the default if the variable is not set."""
    text = (env.get(name) or "").lower()
    if text in ("", "1", "true", "yes", "on"):
        return True if text else default
    if text in ("0", "false", "no", "off"):
        return False
    raise ConfigError(f"{name} must be yes or no, not {text!r}.")
