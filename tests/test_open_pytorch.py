"""Users' own PyTorch networks: what they compute, how their layers are called, and what cannot be opened."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, BackendError, Capability, Edit, Model, Optimiser


@pytest.fixture
def torch(pytorch: Backend) -> ModuleType:
    """PyTorch, seeded."""
    import torch

    torch.manual_seed(3)
    return torch


def images(model: Model, count: int = 4) -> Any:
    return np.random.default_rng(0).random((count, *model.input_shape), dtype=np.float32)


def kinds(model: Model) -> dict[str, str]:
    return {info.name: info.kind for info in model.layers}


def run(torch: Any, network: Any, batch: Any) -> Any:
    """What the network itself gives in inference."""
    network.eval()
    with torch.no_grad():
        return network(torch.tensor(np.array(batch.transpose(0, 3, 1, 2), order="C"))).numpy()


def check(torch: Any, pytorch: Backend, network: Any, **options: Any) -> Model:
    """Opens a network and compares its end, its shapes, its dense layers and its weights with the network's own."""
    model = pytorch.open(network, **options)
    batch = images(model)
    trace, wanted = model.trace(batch), run(torch, network, batch)
    np.testing.assert_allclose(model.logits(batch), wanted, atol=1e-5)
    for info in model.layers:
        assert trace[info.name].shape == (len(batch), *info.output_shape)
        stored = model.weights(info.name)
        assert {name: array.shape for name, array in stored.items()} == dict(info.weight_shapes)
        if info.kind == "dense":
            product = trace[info.inputs[0]] @ stored["kernel"] + stored.get("bias", 0)
            np.testing.assert_allclose(trace[info.name], product, atol=1e-4)
        if info.kind == "flatten":
            read = trace[info.inputs[0]]
            np.testing.assert_array_equal(trace[info.name], read.reshape(len(read), -1))
    return model


def test_functions_methods_and_modules_become_layers(pytorch: Backend, torch: Any) -> None:
    class Net(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(1, 4, 3)
            self.norm = torch.nn.BatchNorm2d(4, eps=1e-3)
            self.block = torch.nn.Sequential(torch.nn.Dropout(0.2), torch.nn.ReLU(inplace=True))
            self.flat_norm = torch.nn.BatchNorm1d(4 * 13 * 13)
            self.flat_norm.running_mean.uniform_()
            self.factors = torch.nn.Parameter(torch.rand(4, 1, 1))
            self.out = torch.nn.Linear(4 * 13 * 13, 10)

        def forward(self, picture: Any) -> Any:
            values = torch.nn.functional.relu(self.norm(self.conv(picture))) * self.factors
            values += 1
            values = self.block(torch.nn.functional.max_pool2d(values, 2))
            values = values.view(values.size(0), -1)
            values = torch.nn.functional.dropout(self.flat_norm(values), 0.5, training=self.training)
            return torch.nn.functional.log_softmax(self.out(torch.relu_(values)), dim=1)

    model = check(torch, pytorch, Net())
    assert model.input_shape == (28, 28, 1)
    assert kinds(model) == {
        "picture": "input",
        "conv": "conv2d",
        "norm": "batchnorm",
        "relu": "activation",
        "mul": "mul",
        "add": "torch.add",
        "max_pool2d": "maxpool2d",
        "block.0": "dropout",
        "block.1": "activation",
        "view": "flatten",
        "flat_norm": "batchnorm",
        "dropout": "dropout",
        "relu_": "activation",
        "out": "dense",
        "log_softmax": "activation",
        "softmax": "activation",
    }
    settings = {info.name: dict(info.settings) for info in model.layers}
    assert settings["conv"] == {"filters": 4, "window": (3, 3), "strides": (1, 1), "padding": "valid"}
    assert settings["max_pool2d"] == {"window": (2, 2), "strides": (2, 2), "padding": "valid"}
    assert settings["norm"] == {"epsilon": 1e-3, "momentum": 0.9}
    assert settings["dropout"] == {"rate": 0.5}
    assert dict(model.layer("mul").weight_shapes) == {"factors": (4, 1, 1)}
    assert dict(model.layer("conv").weight_shapes) == {"kernel": (3, 3, 1, 4), "bias": (4,)}
    assert model.layer("conv").multiply_adds == 26 * 26 * 9 * 4


def test_results_changed_in_place_are_shown_as_they_were(pytorch: Backend, torch: Any) -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(inplace=True), torch.nn.Flatten(), torch.nn.Linear(3 * 26 * 26, 4)
    )
    model = check(torch, pytorch, network)
    trace = model.trace(images(model))
    assert trace["0"].min() < 0
    np.testing.assert_array_equal(trace["1"], np.maximum(trace["0"], 0))
    assert network[1].inplace


def test_a_residual_network_is_followed(pytorch: Backend, torch: Any) -> None:
    class Block(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Conv2d(8, 8, 3, padding=1, bias=False)
            self.norm = torch.nn.BatchNorm2d(8)
            self.relu = torch.nn.ReLU(True)
            self.second = torch.nn.Conv2d(8, 8, 3, padding="same", groups=2)

        def forward(self, values: Any) -> Any:
            inner = self.second(self.relu(self.norm(self.first(values))))
            inner += values
            return self.relu(inner)

    class Net(torch.nn.Module):  # type: ignore[misc]
        input_shape = (20, 24, 3)

        def __init__(self) -> None:
            super().__init__()
            self.stem = torch.nn.Conv2d(3, 8, 5, 2, 2)
            self.blocks = torch.nn.Sequential(Block(), Block())
            self.fc = torch.nn.Linear(8, 7)
            self.register_buffer("mean", torch.rand(3, 1, 1))

        def forward(self, x: Any) -> Any:
            x = self.blocks(self.stem(x - self.mean).sigmoid_())
            return self.fc(torch.cat([x, -x], 1)[:, :8].mean([2, 3]))

    network = Net()
    model = check(torch, pytorch, network, name="residual", classes=list("abcdefg"))
    found = kinds(model)
    assert model.input_shape == (20, 24, 3)
    assert model.layer("stem").settings["padding"] == (2, 2)
    assert model.layer("blocks.0.first").settings["padding"] == "same"
    assert model.layer("blocks.1.second").settings["groups"] == 2
    assert found["mean_1"] == "globalaveragepool2d"
    assert found["cat"] == "concatenate"
    assert [info.kind for info in model.layers if len(info.inputs) == 2] == ["add", "add", "concatenate"]
    assert found["blocks.0.relu"] == found["blocks.0.relu_2"] == "activation"
    buffers = sum(norm.num_features * 2 for norm in network.modules() if isinstance(norm, torch.nn.BatchNorm2d))
    assert model.parameters == sum(weight.numel() for weight in network.parameters()) + buffers
    assert model.gradients(images(model), 3, ["x", "blocks.1.first"])["x"].any()
    assert not model.trace(images(model), edits=[Edit("stem", 5)])["stem"][..., 5].any()


def test_attention_and_tokens_are_followed(pytorch: Backend, torch: Any) -> None:
    class Net(torch.nn.Module):  # type: ignore[misc]
        input_shape = (28, 28, 1)

        def __init__(self) -> None:
            super().__init__()
            self.patch = torch.nn.Conv2d(1, 16, 7, 7)
            self.token = torch.nn.Parameter(torch.rand(1, 1, 16))
            self.places = torch.nn.Parameter(torch.rand(1, 17, 16))
            self.norm = torch.nn.LayerNorm(16)
            self.attention = torch.nn.MultiheadAttention(16, 2, batch_first=True)
            self.fc = torch.nn.Linear(16, 10)

        def forward(self, x: Any) -> Any:
            x = self.patch(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.token.expand(x.size(0), -1, -1), x], 1) + self.places
            read = self.norm(x)
            return self.fc((x + self.attention(read, read, read, need_weights=False)[0])[:, 0])

    network = Net()
    model = check(torch, pytorch, network)
    assert model.parameters == sum(weight.numel() for weight in network.parameters())
    assert kinds(model)["flatten"] == "torch.flatten"
    assert Capability.FIT in model.capabilities


def test_the_opened_network_is_a_copy_that_can_be_trained(pytorch: Backend, torch: Any) -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Dropout(0.5),
        torch.nn.Flatten(), torch.nn.Linear(4 * 26 * 26, 3),
    )  # fmt: skip
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    model = pytorch.open(network)
    batch, version = images(model, 6), model.version
    first = model.weights("1")["mean"]
    steps = list(model.fit([(batch, np.array([0, 1, 2] * 2))] * 25, [0.01] * 25, Optimiser()))
    assert steps[-1].loss < steps[0].loss / 2
    assert model.version != version
    assert not np.array_equal(model.weights("1")["mean"], first)
    np.testing.assert_array_equal(model.logits(batch), model.logits(batch))
    assert network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_weights_can_be_replaced_in_canonical_layout(pytorch: Backend, torch: Any) -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(2704, 3)
    )
    model = pytorch.open(network)
    weights = {
        info.name: {name: array * 2 for name, array in model.weights(info.name).items()} for info in model.layers
    }
    model.load(weights)
    doubled = torch.nn.Sequential(*network)
    with torch.no_grad():
        for weight in doubled.parameters():
            weight.mul_(2)
    np.testing.assert_allclose(model.logits(images(model)), run(torch, doubled, images(model)), atol=1e-4)


def test_a_network_that_trains_otherwise_than_it_answers_cannot_be_fitted(pytorch: Backend, torch: Any) -> None:
    class Net(torch.nn.Module):  # type: ignore[misc]
        input_shape = (4, 4, 1)

        def __init__(self) -> None:
            super().__init__()
            self.fc = torch.nn.Linear(16, 2)

        def forward(self, x: Any) -> Any:
            x = x.flatten(1)
            return self.fc(x + torch.rand_like(x)) if self.training else self.fc(x)

    model = check(torch, pytorch, Net())
    assert Capability.FIT not in model.capabilities
    with pytest.raises(BackendError, match="Net cannot be trained"):
        list(model.fit([(images(model), np.zeros(4, np.int64))], [0.1], Optimiser()))


def test_a_flatten_that_something_else_reads_keeps_its_order(pytorch: Backend, torch: Any) -> None:
    class Net(torch.nn.Module):  # type: ignore[misc]
        input_shape = (6, 6, 2)

        def __init__(self) -> None:
            super().__init__()
            self.fc = torch.nn.Linear(10, 3)

        def forward(self, x: Any) -> Any:
            return self.fc(x.flatten(1)[:, :10])

    network = Net()
    model = pytorch.open(network)
    batch = images(model)
    np.testing.assert_allclose(model.logits(batch), run(torch, network, batch), atol=1e-5)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        (lambda nn: [nn.Flatten(), nn.Linear(784, 10)], (28, 28, 1)),
        (lambda nn: [nn.Flatten(), nn.Linear(3072, 10)], (32, 32, 3)),
        (lambda nn: [nn.Conv2d(3, 2, 5), nn.Flatten(), nn.Linear(2 * 28 * 28, 10)], (32, 32, 3)),
    ],
)
def test_the_image_is_found_where_only_one_fits(pytorch: Backend, torch: Any, layers: Any, shape: Any) -> None:
    assert check(torch, pytorch, torch.nn.Sequential(*layers(torch.nn))).input_shape == shape


def test_networks_that_cannot_be_opened_say_why(pytorch: Backend, torch: Any) -> None:
    nn = torch.nn

    class Net(nn.Module):  # type: ignore[misc,name-defined]
        input_shape: Any = (28, 28, 1)

        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(784, 10)

    class Looks(Net):
        def forward(self, x: Any) -> Any:
            return self.fc(x.flatten(1) * 2 if x.sum() > 0 else x.flatten(1))

    class Changes(Net):
        def forward(self, x: Any) -> Any:
            x = x * 1
            return self.fc((x.relu_() + x).flatten(1))

    class Shape(Looks):
        input_shape = "28x28"

    class Small(Looks):
        input_shape = (14, 14, 1)

    class Pair(Net):
        def forward(self, x: Any) -> Any:
            return self.fc(x.flatten(1)), x

    anything = nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    cases = {
        "PyTorch opens a torch.nn.Module. Received: int": 3,
        "must not depend on the values it computes. Received: symbolically traced": Looks(),
        "'relu_' changes the result of 'mul' before something else reads it": Changes(),
        "Shape.input_shape should be .height, width, channels.. Received: '28x28'": Shape(),
        r"Small does not run on images of input_shape \(14, 14, 1\): mat1 and mat2": Small(),
        "Pair should take one tensor and give one": Pair(),
        "input_shape = .height, width, channels.. Received: a network that runs on .28, 28, 1., ": anything,
        "Received: a network that runs on none of the usual shapes": nn.Linear(784, 10),
        "one number for each class. Received: .26, 26, 2.": type("Conv", (nn.Conv2d,), {"input_shape": (28, 28, 1)})(
            1, 2, 3
        ),
    }
    for message, network in cases.items():
        with pytest.raises(BackendError, match=message):
            pytorch.open(network)
