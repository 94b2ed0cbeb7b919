"""Fused kernels on a GPU: used only where they give what plain operations give."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch

from ml.models import ops

GPU = torch.device("cuda", 0)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA, and PyTorch built for it")


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "_works", {})
    if not torch.cuda.is_available():
        monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)


def kernels_that(monkeypatch: pytest.MonkeyPatch, answer: bool | Exception) -> list[torch.device]:
    asked: list[torch.device] = []

    def work(device: torch.device) -> bool:
        asked.append(device)
        if isinstance(answer, Exception):
            raise answer
        return answer

    module = types.ModuleType("ml.models.gpu_kernels")
    module.work = work  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ml.models.gpu_kernels", module)
    monkeypatch.setattr("ml.models.gpu_kernels", module, raising=False)
    return asked


def test_kernels_that_work_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = kernels_that(monkeypatch, True)
    assert ops._on_gpu(GPU)
    assert ops._on_gpu(GPU)
    assert asked == [GPU]


@pytest.mark.parametrize(("answer", "reason"), [
    (False, "other numbers"), (RuntimeError("Failed to find C compiler\nmore"), "RuntimeError: Failed to find C comp"),
    (ImportError("No module named 'triton'"), "No module named 'triton'"),
])
def test_kernels_that_do_not_work_are_left_alone_and_said_once(
    monkeypatch: pytest.MonkeyPatch, answer: bool | Exception, reason: str, recwarn: pytest.WarningsRecorder,
) -> None:
    asked = kernels_that(monkeypatch, answer)
    assert not ops._on_gpu(GPU)
    assert not ops._on_gpu(GPU)
    assert len(asked) == len(recwarn) == 1
    assert reason in str(recwarn[0].message)
    assert "more" not in str(recwarn[0].message)


def test_nothing_is_tried_while_a_graph_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = kernels_that(monkeypatch, True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    assert not ops._on_gpu(GPU)
    assert asked == []
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    assert ops._on_gpu(GPU)


def test_the_kernels_logic_in_tritons_interpreter() -> None:
    pytest.importorskip("triton", reason="Triton comes with PyTorch's CUDA builds")
    code = "import torch; from ml.models import gpu_kernels; print(gpu_kernels.work(torch.device('cpu')))"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"TRITON_INTERPRET": "1"}, text=True,
                          capture_output=True, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.gpu
@needs_gpu
def test_the_kernels_work_on_this_gpu() -> None:
    assert ops._on_gpu(GPU)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("kind", ["schnet", "mpeu", "painn"])
@pytest.mark.parametrize("n_members", [1, 3])
def test_a_gpu_says_what_the_cpu_says(kind: str, n_members: int) -> None:
    from model_crystals import batch_of, crystals, network

    batch, results = batch_of(crystals()[:8], "full", torch.float32), []
    for device in ("cpu", "cuda"):
        one = network(kind, dtype=torch.float32, n_members=n_members).to(device)
        value = one(batch.to(device))
        value.square().sum().backward()
        results.append([value.detach().cpu(), *[p.grad.cpu() for p in one.parameters()]])
    for on_cpu, on_gpu in zip(*results, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, atol=1e-3, rtol=1e-2)
