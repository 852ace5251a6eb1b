"""The networks are the published ones: converted weights load strictly, and the map's mean is the score."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from casebook.errors import BadInput, Misconfigured  # noqa: E402
from inference.network.backbone import Backbone  # noqa: E402
from inference.network.catalogue import ARCHITECTURES, build, load_imagenet  # noqa: E402
from inference.network.efficientnet_lite import SameConv2d  # noqa: E402

# Parameters with ImageNet's classifier: torchvision's and timm's own tables (Lite: tensorflow/tpu, efficientnet/lite).
PUBLISHED = {
    "efficientnet_lite0": 4_652_008,
    "efficientnet_lite1": 5_416_680,
    "efficientnet_b0": 5_288_548,
    "efficientnet_b3": 12_233_232,
    "efficientnet_v2_s": 21_458_488,
    "resnext101_32x4d": 44_177_704,
    "resnext101_32x8d": 88_791_336,
}

# SHA-256 of the sorted lines "key shape" of torchvision 0.29's networks without classifier (32x4d: its class ResNet with
# that table), and of timm 1.0.31's where their names differ.
TORCHVISION = {
    "efficientnet_b0": "188ac9aab15123a722a0e599ff36d2033c163c09c4a14f8d29df2749e0eefa01",
    "efficientnet_b3": "c32038d2327795a08686f44f65cbb5d5c0fb66a950bc6b221efb166f5e5c4aab",
    "efficientnet_v2_s": "53fb129fb1f0c3ee5fff818b4e38aad8b13476880a8df8f64e1d5cdcda7d51d2",
    "resnext101_32x4d": "b569848e061b789d6555706899a1d3d731b572b0d9635718868241e4a30b44b4",
    "resnext101_32x8d": "f5adcf7f13cae77c7884263e36fc97a42c47299e16568d5cd6bbf97ab43e51a7",
}
TIMM = {
    "efficientnet_b0": "2d41c859e24d15cd32320dc7b54d492db402a3e92022f561d5b782a1ff00bb74",
    "efficientnet_v2_s": "3aeafa47a51c959c1f2df0a7c7789225e761718ad4b8e4d9d629366e22ba06ec",
}

# What torchvision 0.29 computes with the weights of ``invented``: the first pooled features. 32x8d is 32x4d but wider.
COMPUTED = {
    "efficientnet_b0": (-0.097411, 0.049599, 0.041348, -0.02604),
    "efficientnet_b3": (-0.042644, 0.26365, -0.218023, 0.036259),
    "efficientnet_v2_s": (-0.233839, -0.202345, -0.132507, -0.004561),
    "resnext101_32x4d": (10.134929, 5.502747, 20.280752, 0.993145),
}


def layout(weights: dict[str, "torch.Tensor"]) -> str:
    lines = [f"{key} {tuple(value.shape)}" for key, value in sorted(weights.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def invented(backbone: Backbone) -> dict[str, "torch.Tensor"]:
    """Weights that any program can draw again, key by key in alphabetical order."""
    random = np.random.RandomState(7)
    weights = {}
    for key, value in sorted(backbone.state_dict().items()):
        shape = tuple(value.shape)
        if key.endswith("num_batches_tracked"):
            drawn = np.zeros(shape)
        elif key.endswith("running_var"):
            drawn = random.uniform(0.5, 1.5, shape)
        elif value.ndim == 4:
            drawn = random.normal(0, 1, shape) * np.sqrt(1 / np.prod(shape[1:]))
        else:
            drawn = random.normal(1 if key.endswith("weight") else 0, 0.1, shape)
        weights[key] = torch.from_numpy(np.asarray(drawn)).to(value.dtype)
    return weights


def in_timms_names(weights: dict[str, "torch.Tensor"], fused: tuple[int, ...]) -> dict[str, "torch.Tensor"]:
    """Rename an EfficientNet's weights as timm does; ``fused`` are the stages without depthwise convolution."""
    stages = sorted({int(key.split(".")[1]) for key in weights})
    plain = {"0": "conv_stem", "1": "bn1"}, {"0": "conv_head", "1": "bn2"}
    named = {}
    for key, value in weights.items():
        _, stage, *rest = key.split(".")
        if int(stage) in (stages[0], stages[-1]):
            named[f"{plain[int(stage) == stages[-1]][rest[0]]}.{rest[1]}"] = value
            continue
        block, _, *inside, kind = rest
        names = ["conv_pw bn1", "conv_dw bn2", "se.conv_reduce se.conv_expand", "conv_pwl bn3"]
        if int(stage) in fused:
            names = ["conv bn1"] if int(stage) == 1 else ["conv_exp bn1", "conv_pwl bn2"]
        elif int(stage) == 1:
            names = ["conv_dw bn1", "se.conv_reduce se.conv_expand", "conv_pw bn2"]
        name = names[int(inside[0])].split()[{"0": 0, "fc1": 0, "1": 1, "fc2": 1}[inside[1]]]
        named[f"blocks.{int(stage) - 1}.{block}.{name}.{kind}"] = value
    return named


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_published_number_of_parameters(architecture: str) -> None:
    with torch.device("meta"):
        backbone = build(architecture).backbone
    classifier = 1000 * backbone.channels + 1000
    assert sum(weight.numel() for weight in backbone.parameters()) + classifier == PUBLISHED[architecture]


@pytest.mark.parametrize("architecture", TORCHVISION)
def test_every_key_and_shape_is_torchvisions(architecture: str) -> None:
    with torch.device("meta"):
        backbone = build(architecture).backbone
    assert layout(backbone.state_dict()) == TORCHVISION[architecture]


@pytest.mark.parametrize("architecture", COMPUTED)
def test_the_same_weights_compute_what_torchvision_computes(architecture: str) -> None:
    backbone = build(architecture).backbone.eval()
    backbone.load_state_dict(invented(backbone))
    picture = torch.from_numpy(np.random.RandomState(8).normal(size=(1, 3, 64, 96))).float()
    with torch.inference_mode():
        pooled = backbone(picture).mean(dim=(2, 3))[0]
    assert pooled[:4].tolist() == pytest.approx(COMPUTED[architecture], rel=2e-4, abs=2e-5)


@pytest.mark.parametrize("architecture", TIMM)
def test_weights_in_timms_layout_load_too(architecture: str, tmp_path: Path) -> None:
    network = build(architecture)
    weights = invented(network.backbone)
    renamed = in_timms_names(weights, fused=(1, 2, 3) if architecture == "efficientnet_v2_s" else ())
    assert layout(renamed) == TIMM[architecture]
    save_file(renamed | {"classifier.weight": torch.zeros(1000, 7)}, tmp_path / "timm.safetensors")
    load_imagenet(network, tmp_path / "timm.safetensors")
    assert all(torch.equal(value, weights[key]) for key, value in network.backbone.state_dict().items())


def test_a_state_dict_saved_by_torch_loads_in_half_precision_and_without_counted_batches(tmp_path: Path) -> None:
    network = build("efficientnet_b0")
    weights = invented(network.backbone)
    head = {key: value.clone() for key, value in network.head.state_dict().items()}
    saved = {key: value.half() for key, value in weights.items() if not key.endswith("num_batches_tracked")}
    torch.save(
        saved | {"classifier.1.weight": torch.zeros(1000, 1280), "classifier.1.bias": torch.zeros(1000)},
        tmp_path / "old.pth",
    )
    load_imagenet(network, tmp_path / "old.pth")
    found = network.backbone.state_dict()
    assert all(torch.allclose(found[key], value, atol=1e-3) for key, value in weights.items())
    assert all(value.dtype == found[key].dtype for key, value in weights.items())
    assert all(torch.equal(value, head[key]) for key, value in network.head.state_dict().items())


def test_stochastic_depth_leaves_whole_blocks_out_in_training_alone() -> None:
    torch.manual_seed(3)
    block = build("efficientnet_b0").backbone.features[3][1]
    block.dropped = 0.25
    picture = torch.randn(1, 40, 4, 4).expand(400, -1, -1, -1)
    block.train()
    varied = block(picture)
    block.block.eval()
    own = block.block(picture)
    left_out = [torch.equal(row, picture[0]) for row in varied]
    assert 60 < sum(left_out) < 140
    block.eval()
    assert torch.allclose(block(picture), picture + own, atol=1e-6)


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "resnext101_32x8d"])
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
    with pytest.raises(BadInput, match=r"other\.safetensors .*unknown: blocks\.1\.2.* and \d+ more"):
        load_imagenet(build("efficientnet_lite0"), path)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("features.9.0.weight", (1,), "unknown: features.9.0.weight"),
        ("blocks.9.0.conv_pw.weight", (1,), "unknown: blocks.9.0.conv_pw.weight"),
        ("features.0.0.weight", None, "missing: features.0.0.weight"),
        ("features.0.0.weight", (32, 1, 3, 3), "of another shape: features.0.0.weight"),
        ("head.weight", (1,), "unknown: head.weight"),
    ],
)
def test_every_key_is_accounted_for_and_nothing_is_filled_in_part(
    key: str, value: tuple[int, ...] | None, told: str, tmp_path: Path
) -> None:
    network = build("efficientnet_b0")
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    weights = {name: weight + 1 for name, weight in network.backbone.state_dict().items()}
    weights.pop(key, None)
    if value is not None:
        weights[key] = torch.zeros(value)
    torch.save(weights, tmp_path / "wrong.pth")
    with pytest.raises(BadInput) as raised:
        load_imagenet(network, tmp_path / "wrong.pth")
    assert told in raised.value.message
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


class _Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('executed')",)


@pytest.mark.parametrize("content", [b"", b"rubbish", pickle.dumps(_Trap()), pickle.dumps({"conv1.weight": 3})])
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_file_that_holds_no_weights_is_refused_and_nothing_in_it_runs(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=name):
        load_imagenet(build("efficientnet_lite0"), tmp_path / name)


def test_a_trap_in_a_file_of_torch_does_not_run(tmp_path: Path) -> None:
    torch.save({"conv1.weight": _Trap()}, tmp_path / "trap.pth")
    with pytest.raises(BadInput, match=r"trap\.pth"):
        load_imagenet(build("efficientnet_lite0"), tmp_path / "trap.pth")


def test_a_checkpoint_around_the_weights_is_named(tmp_path: Path) -> None:
    torch.save({"state_dict": {"conv1.weight": torch.zeros(1)}, "epoch": 3}, tmp_path / "whole.pth")
    with pytest.raises(BadInput, match="state dict alone"):
        load_imagenet(build("efficientnet_lite0"), tmp_path / "whole.pth")


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
