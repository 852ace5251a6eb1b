"""The networks are the published ones: converted weights load strictly, and the map's mean is the score."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from casebook.errors import BadInput, Misconfigured  # noqa: E402
from inference.network.catalogue import ARCHITECTURES, build, load_imagenet  # noqa: E402
from inference.network.efficientnet_lite import SameConv2d  # noqa: E402


@pytest.mark.parametrize(
    ("architecture", "parameters"), [("efficientnet_lite0", 3_372_289), ("efficientnet_lite1", 4_136_961)]
)
def test_the_published_number_of_parameters(architecture: str, parameters: int) -> None:
    assert sum(weight.numel() for weight in build(architecture).parameters()) == parameters


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_performance_P11_the_mean_of_the_map_is_the_score(architecture: str) -> None:
    torch.manual_seed(1)
    network = build(architecture).eval()
    with torch.inference_mode():
        score, activation = network(torch.randn(2, 3, 64, 96))
    assert score.shape == (2,)
    assert activation.shape == (2, 2, 3)
    assert torch.allclose(activation.mean(dim=(1, 2)), score, atol=1e-5)


def test_the_score_in_training_is_the_score_in_service_but_for_dropout() -> None:
    torch.manual_seed(1)
    network = build("efficientnet_lite0", dropout=0.5).eval()
    pictures = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(network.train_score(pictures), network(pictures)[0], atol=1e-5)


@pytest.mark.parametrize(("kernel", "before", "after"), [(3, 0, 1), (5, 1, 2)])
def test_strided_layers_pad_as_tensorflow_does(kernel: int, before: int, after: int) -> None:
    """SAME at stride 2 and even size pads kernel - 2 in all, the smaller part before (tensorflow.org, tf.nn)."""
    layer = SameConv2d(1, 1, kernel, stride=2)
    picture = torch.randn(1, 1, 8, 8)
    padded = torch.nn.functional.pad(picture, (before, after, before, after))
    expected = torch.nn.functional.conv2d(padded, layer.weight, stride=2)
    assert layer(picture).shape == (1, 1, 4, 4)
    assert torch.equal(layer(picture), expected)


def test_an_unknown_architecture_is_refused_with_the_choice() -> None:
    with pytest.raises(Misconfigured, match="efficientnet_lite0"):
        build("resnet9000")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file(dict(build("efficientnet_lite1").backbone.state_dict()), path)
    with pytest.raises(BadInput, match=r"other\.safetensors"):
        load_imagenet(build("efficientnet_lite0"), path)


@pytest.mark.photographs
@pytest.mark.parametrize(
    ("architecture", "file"),
    [
        ("efficientnet_lite0", "efficientnet_lite0_imagenet.safetensors"),
        ("efficientnet_lite1", "efficientnet_lite1_imagenet_fp16.safetensors"),
    ],
)
def test_imagenet_weights_load_strictly_and_know_an_espresso(photographs: Path, architecture: str, file: str) -> None:
    cv2 = pytest.importorskip("cv2")
    network = build(architecture).eval()
    load_imagenet(network, photographs / "weights" / file)
    weights = load_file(photographs / "weights" / file)
    picture = cv2.imread(str(photographs / "negatives" / "sk_coffee.jpg"))[..., ::-1]
    side = min(picture.shape[:2])
    left = (picture.shape[1] - side) // 2
    square = cv2.resize(picture[:side, left : left + side], (224, 224), interpolation=cv2.INTER_AREA)
    tensor = torch.from_numpy((square.astype(np.float32) - 127) / 128).permute(2, 0, 1)[None]
    with torch.inference_mode():
        pooled = network.backbone(tensor).mean(dim=(2, 3))
        logits = pooled @ weights["classifier.weight"].float().T + weights["classifier.bias"].float()
    assert int(logits.argmax()) == 967
