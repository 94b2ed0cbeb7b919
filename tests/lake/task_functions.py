"""What the tests let workers do; in a module of its own, which workers can import."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from lake.errors import InputError
from lake.settings import Settings


def square(x: int) -> int:
    return x * x


def wait(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def die(code: int = signal.SIGKILL) -> None:
    os.kill(os.getpid(), code)


def die_at_first(marker: str, result: str) -> str:
    """Take the worker down, unless that was done before."""
    if not Path(marker).exists():
        Path(marker).touch()
        die()
    return result


def divide(x: float) -> float:
    return 1 / x


def refuse(what: str) -> None:
    raise InputError(f"{what} is no crystal.")


def leave() -> None:
    sys.exit(3)


def key_length(settings: Settings) -> int:
    assert settings.mp_api_key is not None
    return len(settings.mp_api_key.get_secret_value())
