"""The calls a PyTorch network makes, as `torch.fx` writes them down, each as a module that can be called alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, fx, nn

from .base import BackendError
from .operations import Operation, free_name


@dataclass(frozen=True)
class Call:
    """One call: of which module, function or method, with what, and the operation that repeats it."""

    target: Any
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    operation: Operation


@dataclass(frozen=True)
class _Slot:
    """Where the result of an earlier call goes."""

    place: int


@dataclass(frozen=True)
class _Own:
    """Where a tensor that belongs to the network itself goes."""

    name: str


class Applied(nn.Module):
    """A call with constants or the network's own tensors among its arguments.

    `clones` protects what it is called on from a function that changes its argument in place.
    """

    def __init__(self, target: Any, args: Sequence[Any], kwargs: Mapping[str, Any], own: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.target, self.args, self.kwargs, self.clones = target, tuple(args), dict(kwargs), False
        for name, tensor in own.items():
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(name, tensor)
            else:
                self.register_buffer(name, tensor)

    def forward(self, *values: Any) -> Any:
        if self.clones:
            values = tuple(value.clone() if isinstance(value, Tensor) else value for value in values)

        def fill(leaf: Any) -> Any:
            if isinstance(leaf, _Slot):
                return values[leaf.place]
            return getattr(self, leaf.name) if isinstance(leaf, _Own) else leaf

        args = fx.node.map_aggregate(self.args, fill)
        kwargs = fx.node.map_aggregate(self.kwargs, fill)
        if isinstance(self.target, str):
            return getattr(args[0], self.target)(*args[1:], **kwargs)
        return self.target(*args, **kwargs)


def calls_of(title: str, network: nn.Module) -> list[Call]:
    """Every call that the output depends on, in order; the first one hands the image through.

    Raises:
        BackendError: the network cannot be traced, or takes or gives something other than one tensor.
    """
    try:
        traced = fx.symbolic_trace(network)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise BackendError(
            f"{title} cannot be followed; what its forward() does must not depend on the values it computes. "
            f"Received: {reason}"
        ) from error
    nodes = list(traced.graph.nodes)
    images = [node for node in nodes if node.op == "placeholder" and not node.args]
    final = nodes[-1].args[0]
    if len(images) != 1 or not isinstance(final, fx.Node):
        raise BackendError(
            f"{title} should take one tensor and give one. Received: forward({', '.join(map(str, images))})"
        )
    needed = _ancestors(final)
    return list(_calls(traced, [images[0], *(node for node in nodes if node in needed and node.op.startswith("call"))]))


def _ancestors(final: fx.Node) -> set[fx.Node]:
    found, waiting = {final}, [final]
    while waiting:
        for node in waiting.pop().all_input_nodes:
            if node not in found:
                found.add(node)
                waiting.append(node)
    return found


def _calls(traced: fx.GraphModule, nodes: Sequence[fx.Node]) -> Iterator[Call]:
    names: dict[fx.Node, str] = {}
    for node in nodes:
        target: Any = traced.get_submodule(str(node.target)) if node.op == "call_module" else node.target
        names[node] = free_name(str(node.target) if node.op == "call_module" else node.name, names.values())
        if node.op == "placeholder":
            yield Call(nn.Identity(), (), {}, Operation(names[node], nn.Identity(), ()))
            continue
        read = [each for each in node.all_input_nodes if each in names]
        inputs = tuple(names[each] for each in read)
        if node.op == "call_module" and node.args == tuple(read) and not node.kwargs:
            yield Call(target, (), {}, Operation(names[node], target, inputs))
            continue
        own = {each: _plain(str(each.target)) for each in node.all_input_nodes if each.op == "get_attr"}
        places: dict[fx.Node, Any] = {each: _Slot(place) for place, each in enumerate(read)}
        places |= {each: _Own(name) for each, name in own.items()}
        args, kwargs = fx.map_arg(node.args, places.get), fx.map_arg(node.kwargs, places.get)
        tensors = {name: _attribute(traced, str(each.target)) for each, name in own.items()}
        yield Call(target, args, kwargs, Operation(names[node], Applied(target, args, kwargs, tensors), inputs))


def _attribute(traced: fx.GraphModule, path: str) -> Any:
    owner, _, name = path.rpartition(".")
    return getattr(traced.get_submodule(owner), name)


def _plain(path: str) -> str:
    """A name that a module may give a tensor."""
    return path.replace(".", "_")
