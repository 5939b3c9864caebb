"""What is made once and then kept, for as long as there is room."""

from collections.abc import Callable, Hashable, MutableMapping
from threading import Lock
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def kept(cache: MutableMapping[Key, Value], lock: Lock, key: Key, make: Callable[[], Value]) -> Value:
    """What the cache has under that key, else what `make` gives, which is then kept.

    The lock is held for the cache alone: two threads that ask at once may both make it, but none waits for the other.
    """
    with lock:
        known = cache.get(key)
    if known is None:
        known = make()
        with lock:
            cache[key] = known
    return known
