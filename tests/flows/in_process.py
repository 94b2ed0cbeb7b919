"""The `matlake` command without a process of its own: importing what it needs takes longer than most of its work."""

from __future__ import annotations

import io
import os
import subprocess
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from flows.cli import main
from lake.settings import default_settings


def matlake(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with no setting but those given; what it wrote, and its exit status."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MATLAKE_")} | environment
    texts = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
    status: object = 0
    with patch.dict(os.environ, kept, clear=True), chdir(cwd), redirect_stdout(texts[0]), redirect_stderr(texts[1]):
        default_settings.cache_clear()
        try:
            main(list(words))
        except SystemExit as end:
            status = end.code or 0
        finally:
            default_settings.cache_clear()
    stdout, stderr = (text.buffer.getvalue().decode() for text in texts)  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(words, int(str(status)), stdout, stderr)
