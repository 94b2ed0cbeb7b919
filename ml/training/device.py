"""Where networks compute."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lake.errors import SettingsError
from lake.settings import default_settings

if TYPE_CHECKING:
    import torch

AUTO = "auto"


def device_of(wanted: str = AUTO) -> torch.device:
    """The device that a word means.

    Args:
        wanted: cpu, cuda, cuda:N, or auto: what `MATLAKE_DEVICE` says, else a GPU where there is one.

    Raises:
        SettingsError: there is no such device here.
    """
    import torch

    word = default_settings().device if wanted == AUTO else wanted
    if word == AUTO:
        word = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(word)
    except (RuntimeError, TypeError):
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise SettingsError(f"There is no device {word!r:.80}: auto, cpu, cuda or cuda:N is needed.")
    if device.type == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise SettingsError(f"The device {word} is not there: PyTorch {torch.__version__} sees no GPU with CUDA. "
                            "Choose cpu or auto, or install a PyTorch with CUDA and its driver.")
    n, index = torch.cuda.device_count(), device.index if device.index is not None else torch.cuda.current_device()
    if index >= n:
        raise SettingsError(f"The device {word} is not there: GPUs are counted from cuda:0 to cuda:{n - 1}.")
    return torch.device("cuda", index)


def device_name(device: torch.device) -> str:
    """A device in words: the GPU's name, or the processor's with the threads in use."""
    import torch

    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    threads = torch.get_num_threads()
    return f"cpu: {_processor()}, {threads} thread{'s' if threads > 1 else ''}"


@contextmanager
def computing(device: torch.device, threads: int | None) -> Iterator[None]:
    """Threads and precision of matrix products as training wants them; afterwards as they were.

    On a GPU matrix products use TensorFloat-32: eight bits of exponent, ten of mantissa.
    """
    import torch

    threads_before, precision_before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        if device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        yield
    finally:
        torch.set_num_threads(threads_before)
        torch.set_float32_matmul_precision(precision_before)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
