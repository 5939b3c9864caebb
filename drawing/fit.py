"""Data set images, already prepared as digits, brought to the input of a network."""

import numpy as np
from numpy.typing import NDArray

from .resample import fitted_size, resized


def fit_images(
    images: NDArray[np.uint8] | NDArray[np.floating], input_shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Images of any size as a network's input: unchanged where the size is the same, else resized and padded.

    Args:
        images: `(n, height, width, channels)`, bytes in 0…255 or floats in [0, 1].
        input_shape: `(height, width, channels)` of the network.

    Returns:
        float32 `(n, *input_shape)` in [0, 1]; the aspect is kept, channels are repeated or averaged.
    """
    if images.ndim != 4:
        raise ValueError(f"Images must be (n, height, width, channels). Received: {images.shape}")
    height, width, channels = input_shape
    floats = images.astype(np.float32) / np.float32(255) if images.dtype == np.uint8 else images.astype(np.float32)
    return _with_size(_with_channels(floats, channels), height, width)


def _with_channels(images: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    if images.shape[3] == channels:
        return images
    return np.repeat(images.mean(axis=3, keepdims=True), channels, axis=3)


def _with_size(images: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    if images.shape[1:3] == (height, width):
        return images
    new_height, new_width = fitted_size((images.shape[1], images.shape[2]), height, width)
    small = resized(images.transpose(0, 3, 1, 2), new_height, new_width).transpose(0, 2, 3, 1)
    fitted = np.zeros((len(images), height, width, images.shape[3]), np.float32)
    top, left = (height - new_height) // 2, (width - new_width) // 2
    fitted[:, top : top + new_height, left : left + new_width] = small
    return fitted
