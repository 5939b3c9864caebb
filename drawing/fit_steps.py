"""The way of a stored image to the input of a network, step by step; `fit.fit_images` takes it in one go."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .fit import fit_images
from .resample import fitted_size


@dataclass(frozen=True, eq=False)
class FitStep:
    """An image after one step.

    Attributes:
        title: what the page calls the step.
        words: one sentence that says what it did to this image, and why.
        image: `(height, width, channels)`, bytes at first and floats in [0, 1] then.
        changes: whether it changed anything.
    """

    title: str
    words: str
    image: NDArray[np.uint8] | NDArray[np.float32]
    changes: bool = True


def fit_steps(image: NDArray[np.uint8], input_shape: tuple[int, int, int]) -> tuple[FitStep, ...]:
    """What `fit_images` does to an image: the stored bytes, numbers from 0 to 1, channels, size, and the input.

    Args:
        image: `(height, width, channels)` as stored.
        input_shape: `(height, width, channels)` of the network.

    Returns:
        Five steps; the image of the last is exactly `fit_images(image[None], input_shape)[0]`.
    """
    height, width, channels = input_shape
    scaled = fit_images(image[None], image.shape)[0]
    recoloured = fit_images(scaled[None], (*scaled.shape[:2], channels))[0]
    sized = fit_images(recoloured[None], input_shape)[0]
    stored = FitStep("Stored pixels", "One byte for each pixel: 0 is black, 255 is white.", image)
    numbers = FitStep("Divided by 255", "Networks learn better from small numbers, so 255 becomes 1.", scaled)
    return (
        stored,
        numbers,
        FitStep("Channels", *_channels(image.shape[2], channels, recoloured)),
        FitStep("Size", *_size((image.shape[0], image.shape[1]), (height, width), sized)),
        FitStep("Input", "Exactly the numbers that the network gets, as a batch of one image.", sized),
    )


def _channels(old: int, new: int, image: NDArray[np.float32]) -> tuple[str, NDArray[np.float32], bool]:
    if old == new:
        return f"Nothing to do: the image and the network both have {_counted(new)}.", image, False
    if old == 1:
        return f"Grey is repeated, because the network takes {_counted(new)}.", image, True
    return f"The mean of {_counted(old)}, because the network takes {_counted(new)}.", image, True


def _size(
    old: tuple[int, int], new: tuple[int, int], image: NDArray[np.float32]
) -> tuple[str, NDArray[np.float32], bool]:
    if old == new:
        return f"Nothing to do: both are {new[0]}×{new[1]}.", image, False
    inner = fitted_size(old, *new)
    way = "reduced by averaging" if inner[0] < old[0] or inner[1] < old[1] else "enlarged between pixels"
    around = "" if inner == new else f", and black around it makes {new[0]}×{new[1]}"
    return f"{old[0]}×{old[1]} is {way} to {inner[0]}×{inner[1]}, its aspect kept{around}.", image, True


def _counted(channels: int) -> str:
    return "one channel" if channels == 1 else f"{channels} channels"
