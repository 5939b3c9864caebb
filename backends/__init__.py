"""A framework behind one contract: arrays in, arrays out. Importing this package imports no framework."""

from .base import Backend as Backend
from .base import BackendError as BackendError
from .base import Model as Model
from .opening import ModelPool as ModelPool
from .opening import open_model as open_model
from .registry import backend as backend
from .registry import backends as backends
