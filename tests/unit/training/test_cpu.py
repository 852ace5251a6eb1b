"""The fast gradients are torch's own, as exactly as bfloat16 can say them."""

import pytest

torch = pytest.importorskip("torch")

from inference.network.efficientnet_lite import SameConv2d  # noqa: E402
from training.fit.cpu import hasten  # noqa: E402

# bfloat16 keeps 8 bits: 2**-8 of each product, whose roundings average out in a sum.
_BFLOAT16 = 2**-7


def gradients(module: torch.nn.Module, pictures: torch.Tensor, pull: torch.Tensor, kind: torch.dtype) -> list:
    module.zero_grad()
    pictures = pictures.clone().requires_grad_()
    with torch.autocast("cpu", dtype=kind, enabled=kind != torch.float32):
        answer = module(pictures)
    answer.float().backward(pull)
    return [answer.detach().float(), pictures.grad, module.weight.grad.clone()]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_fast_gradients_agree_with_torchs_in_float32(kernel: int, stride: int) -> None:
    torch.manual_seed(kernel + stride)
    module = SameConv2d(8, 8, kernel, stride=stride, groups=8)
    pictures = torch.randn(4, 8, 16, 16).to(torch.bfloat16).float().contiguous(memory_format=torch.channels_last)
    pull = torch.randn(4, 8, 16 // stride, 16 // stride).to(torch.bfloat16).float()
    module.weight.data = module.weight.data.to(torch.bfloat16).float()
    exact = gradients(module, pictures, pull, torch.float32)
    hasten(torch.nn.Sequential(module))
    assert "forward" in vars(module)
    fast = gradients(module, pictures, pull, torch.bfloat16)
    for found, right in zip(fast, exact, strict=True):
        assert found.shape == right.shape
        assert found.dtype == torch.float32
        assert float((found - right).norm() / right.norm()) < _BFLOAT16


def test_only_depthwise_convolutions_are_touched() -> None:
    plain, depthwise = SameConv2d(8, 4, 3), SameConv2d(4, 4, 3, groups=4)
    hasten(torch.nn.Sequential(plain, depthwise))
    assert "forward" not in vars(plain)
    assert "forward" in vars(depthwise)
