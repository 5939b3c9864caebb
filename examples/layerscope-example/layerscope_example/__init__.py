"""A view and a backend for Layerscope, found through the entry points in `pyproject.toml`."""
