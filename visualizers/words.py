"""Layers, shapes and numbers in words that a student can read."""

from ..models.layers import LayerInfo, Shape

KINDS = {
    "input": "input image",
    "conv2d": "convolution",
    "maxpool2d": "max pooling",
    "averagepool2d": "average pooling",
    "globalaveragepool2d": "global average pooling",
    "batchnorm": "batch normalisation",
    "dropout": "dropout",
    "flatten": "flatten",
    "dense": "dense",
    "add": "sum of branches",
    "concatenate": "joined branches",
}


def kind_words(layer: LayerInfo) -> str:
    """What a layer is, e.g. `convolution 3×3`, `relu`, `dropout 10 %`; a foreign kind keeps its own name."""
    if layer.kind == "activation":
        return str(layer.settings.get("function", "activation"))
    words = KINDS.get(layer.kind, layer.kind)
    if "window" in layer.settings:
        return f"{words} {shape_words(tuple(layer.settings['window']))}"
    if "rate" in layer.settings:
        return f"{words} {100 * layer.settings['rate']:.0f} %"
    return words


def shape_words(shape: Shape) -> str:
    """`26×26×32`."""
    return "×".join(map(str, shape))


def short(value: float) -> str:
    """A number with three digits and a true minus sign: `0.0312`, `−4.7`, `1,830`."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−")


def added(value: float) -> str:
    """A number with its sign set apart, as it stands in a sum: `+ 0.31`, `− 4.7`."""
    return f"− {short(-value)}" if value < 0 else f"+ {short(value)}"


def part(shown: int, total: int, things: str = "units", which: str = "first") -> str:
    """`first 64 of 512 units`; nothing when all are shown."""
    return f"{which} {shown:,} of {total:,} {things}" if shown < total else ""


def joined(*words: str) -> str:
    """The words that are not empty, with dots between them."""
    return " · ".join(word for word in words if word)
