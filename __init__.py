"""Layerscope opens up image classifiers: draw a digit and watch every layer answer, in Keras and in PyTorch."""

__version__ = "0.1.0"
