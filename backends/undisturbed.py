"""A framework at work must not be ended in the middle.

A server ends a view that takes too long by raising an exception in its thread, at whichever line of Python that is. In
the midst of TensorFlow or PyTorch, this line may lie between taking a lock and letting it go, or between switching a
mode on and off again; then everything that comes after fails or waits for ever. So whatever calls a framework does so
`with undisturbed`, and an exception from outside waits until it has come back.
"""

import ctypes
from threading import Lock, get_ident
from types import TracebackType


class Undisturbed:
    """A context in which a thread gets exceptions of other threads at the end only; may be entered again inside."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._depths: dict[int, int] = {}
        self._due: dict[int, type[BaseException]] = {}

    def __enter__(self) -> None:
        thread = get_ident()
        with self._lock:
            # What was raised before is delivered by this call at the latest, while nothing is counted yet.
            depth = self._depths.get(thread, 0)
            self._depths[thread] = depth + 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        thread = get_ident()
        if self._depths[thread] > 1:
            self._depths[thread] -= 1
            return
        with self._lock:
            due = self._due.pop(thread, None)
            del self._depths[thread]
        if due:
            raise due

    def end_if_due(self) -> None:
        """For what only waits, inside the context: raises now what would be raised at its end."""
        if due := self._due.pop(get_ident(), None):
            raise due

    def raise_in(self, thread: int, error: type[BaseException] | None) -> None:
        """Raises an exception in another thread, as soon as it may be; None takes back one that is still to come."""
        with self._lock:
            self._due.pop(thread, None)
            if error and thread in self._depths:
                self._due[thread] = error
            else:
                to_raise = ctypes.py_object(error) if error else None
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), to_raise)


undisturbed = Undisturbed()
"""The one of this process."""
