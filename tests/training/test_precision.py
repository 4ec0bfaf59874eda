"""What training computes in follows what was asked for, and else what is faster here."""

import pytest

from perennial.inference import cpu
from perennial.training import precision


@pytest.fixture(autouse=True)
def _on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.mark.parametrize(("gain", "chosen"), [(2.7, "bf16"), (1.0, "fp32"), (0.5, "fp32")])
def test_auto_takes_bf16_only_where_it_is_faster(gain: float, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "cpu_features", lambda: ("x86_64", "avx512_bf16"))
    monkeypatch.setattr(precision, "_gain", lambda: gain)
    assert precision.choose_precision("auto") == chosen
    assert precision.choose_precision("bf16") == "bf16"
    assert precision.choose_precision("fp32") == "fp32"


def test_nothing_is_timed_where_bf16_is_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "cpu_features", lambda: ("x86_64", "avx2"))
    monkeypatch.setattr(precision, "_gain", lambda: pytest.fail("it was timed"))
    assert precision.choose_precision("auto") == "fp32"


def test_both_are_timed_once() -> None:
    precision._gain.cache_clear()
    gain = precision._gain()
    assert gain > 0
    assert precision._gain() == gain


def test_bf16_that_is_made_up_for_comes_to_what_bf16_comes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from torch import nn

    from benchmarks.common import bf16

    monkeypatch.setattr(cpu, "cpu_features", lambda: ("x86_64", "avx2"))
    torch.manual_seed(0)
    network, rows = nn.Sequential(nn.Linear(24, 32), nn.GELU(), nn.Linear(32, 3)), torch.randn(40, 24)

    def learned() -> list[torch.Tensor]:
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            outputs = network(rows)
        assert outputs.dtype == torch.bfloat16
        outputs.float().square().mean().backward()
        gradients = [weights.grad for weights in network.parameters() if weights.grad is not None]
        return [outputs.detach().float(), *(gradient.clone() for gradient in gradients)]

    native = learned()
    with bf16.bf16_products():
        made_up = learned()
    assert len(native) == 5
    for one, other in zip(native, made_up, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-2, atol=2e-2 * float(one.abs().max()))
