"""A view may be ended at any line while a framework works for it: whatever is asked afterwards is answered as ever."""

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
import pytest
from layerscope.backends.base import Backend, BackendError, Edit, Model
from layerscope.backends.undisturbed import undisturbed
from layerscope.layouts.limits import Stopped, raise_in
from layerscope.models.bundled import BUNDLED

Ask = Callable[[Model, Any], Any]

ASKS: dict[str, Ask] = {
    "gradients": lambda model, image: model.gradients(image, 3, ["input"])["input"],
    "guided": lambda model, image: model.gradients(image, 3, ["input"], guided=True)["input"],
    "both": lambda model, image: model.activation_and_gradient(image, 3, "dense1")[1],
    "edited": lambda model, image: model.logits(image, [Edit("dense1", 1)]),
}


DELICATE = ("contextlib.py", "lock_util.py", "grad_mode.py", "pytorch_cores.py")
"""Files of Python, TensorFlow, PyTorch and ours that take locks, switch modes, and undo both."""


def asked(ask: Callable[[], Any], stop_at: int = 0) -> tuple[int, list[Any]]:
    """In a thread of its own: asks, is stopped at one of the lines of the delicate files, and asks twice more.

    Returns:
        How many such lines the first call ran through, and how each of the three calls ended.
    """
    lines, ends = 0, []

    def inside(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        if event == "line" and lines == stop_at:
            raise_in(threading.get_ident(), Stopped)
        return inside

    def work() -> None:
        sys.settrace(lambda frame, *_: inside if frame.f_code.co_filename.endswith(DELICATE) else None)
        try:
            ends.append(ask())
        except BaseException as error:
            ends.append(type(error))
        finally:
            sys.settrace(None)
        ends.extend([ask(), ask()])

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "the thread that was stopped waits for ever"
    return lines, ends


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("kind", ASKS)
def test_a_first_call_that_is_stopped_at_any_moment_harms_no_later_one(backend: Backend, kind: str) -> None:
    image = np.random.default_rng(0).random((1, 28, 28, 1), dtype=np.float32)

    def fresh() -> Callable[[], Any]:
        model = backend.build(BUNDLED["dense"], seed=1)
        return lambda: ASKS[kind](model, image)

    asked(fresh())  # the very first call of a process runs through more lines than all others
    lines, (wanted, *_) = asked(fresh())
    for moment in np.unique(np.linspace(1, lines, 6 if backend.name == "keras" else 60).astype(int)):
        ask = fresh()
        _, (first, *later) = asked(ask, stop_at=moment)
        assert first is Stopped
        _, elsewhere = asked(ask)
        for found in (*later, *elsewhere):
            np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_pytorch_is_left_in_no_other_mode_by_calls_that_are_stopped(pytorch: Backend, cores_of_pytorch: int) -> None:
    import torch

    model, image = pytorch.build(BUNDLED["cnn-compact"], seed=1), np.zeros((1, 28, 28, 1), np.float32)

    def modes() -> tuple[bool, bool, int]:
        found = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_num_threads()
        model.trace(image)
        model.gradients(image, 3, ["conv1"])
        return found

    modes()
    wanted = (True, False, cores_of_pytorch)
    lines, _ = asked(modes)
    for moment in range(1, lines + 1):
        _, ends = asked(modes, stop_at=moment)
        assert ends == [Stopped, wanted, wanted]


def test_keras_goes_on_compiling_when_who_waits_is_stopped(keras: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = keras.build(BUNDLED["dense"], seed=1)
    image, go_on, compiled = np.zeros((1, 28, 28, 1), np.float32), threading.Event(), []
    compile_it = model._compile

    def slowly(*arguments: Any) -> Any:
        go_on.wait(60)
        compiled.append(arguments)
        return compile_it(*arguments)

    monkeypatch.setattr(model, "_compile", slowly)
    caught: list[BaseException] = []

    def work() -> None:
        try:
            model.gradients(image, 3, ["input"])
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while not model._begun:
        time.sleep(0.001)
    raise_in(thread.ident or 0, Stopped)
    thread.join(60)
    assert [type(error) for error in caught] == [Stopped]
    assert not compiled
    go_on.set()
    assert model.gradients(image, 3, ["input"])["input"].shape == image.shape
    assert compiled == [("gradients", ("logits",))]


def test_keras_keeps_nothing_of_a_function_that_cannot_be_compiled(
    keras: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = keras.build(BUNDLED["dense"], seed=1)
    image = np.zeros((1, 28, 28, 1), np.float32)

    def fails(*_: Any) -> Any:
        raise MemoryError("no memory left")

    with monkeypatch.context() as patched:
        patched.setattr(model, "_compile", fails)
        with pytest.raises(MemoryError):
            model.gradients(image, 3, ["input"])
    assert not model._begun
    assert not model._compiled
    assert model.gradients(image, 3, ["input"])["input"].shape == image.shape


def test_an_exception_from_outside_waits_for_the_outermost_end() -> None:
    passed = []

    def work() -> None:
        with undisturbed:
            with undisturbed:
                raise_in(threading.get_ident(), Stopped)
                passed.append("inner")
            passed.append("outer")
        passed.append("never")

    with pytest.raises(Stopped):
        work()
    assert passed == ["inner", "outer"]
    with undisturbed:
        pass


def test_what_only_waits_inside_is_ended_at_once_and_what_is_taken_back_never() -> None:
    here = threading.get_ident()
    with undisturbed:
        raise_in(here, Stopped)
        with pytest.raises(Stopped):
            undisturbed.end_if_due()
        raise_in(here, Stopped)
        raise_in(here, None)


def test_an_own_error_gives_way_to_the_one_from_outside() -> None:
    def work() -> None:
        with undisturbed:
            raise_in(threading.get_ident(), Stopped)
            raise BackendError("a fault")

    with pytest.raises(Stopped):
        work()
