"""What stands beside the subject for the views that ask for it: a second image, a second model, a training run.

Each of them is looked for only where a panel needs it. What cannot be had concerns those panels alone.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

from ..backends.base import BackendError, Model
from ..datasets.base import DatasetError
from ..drawing.ink import InkError
from ..drawing.pipeline import Steps
from ..visualizers.contract import Need, Pass, Subject
from .pictures import Source, prepared
from .services import Services
from .state import Beside


@dataclass(frozen=True)
class Found:
    """The subject with what was asked for.

    Attributes:
        subject: what is looked at.
        troubles: why something is not there, where there is more to say than that it was not chosen.
        opening: whether the second model is being opened.
    """

    subject: Subject
    troubles: Mapping[Need, str] = field(default_factory=dict)
    opening: bool = False


def with_beside(
    services: Services, subject: Subject, asked: Beside, needs: Set[Need], source: Source, steps: Steps
) -> Found:
    """The subject with whatever of a second image, a second model and a run the panels need and the page has chosen.

    Args:
        services: where models, samples and runs come from.
        subject: the model with its image, layer and edits.
        asked: what is chosen on the page.
        needs: of all panels together.
        source: where the current image comes from, which the second model gets as well.
        steps: what is done to ink.
    """
    found = Found(subject)
    if Need.SECOND_IMAGE in needs and asked.image:
        found = _with_image(services, found, asked.image, steps)
    if Need.SECOND_MODEL in needs and asked.model and asked.backend:
        found = _with_model(services, found, asked.model, asked.backend, source, steps)
    return _with_run(services, found, asked.run) if Need.RUN in needs else found


def _with_image(services: Services, found: Found, source: Source, steps: Steps) -> Found:
    try:
        second = _image(services, found.subject, source, steps)
    except (DatasetError, InkError) as error:
        return _trouble(found, Need.SECOND_IMAGE, f"The second image cannot be had. {error}")
    return replace(found, subject=replace(found.subject, second_image=second))


def _image(services: Services, subject: Subject, source: Source, steps: Steps) -> Pass:
    """The second image's pass, the same object while nothing about it changes, as under a moving pen.

    Raises:
        InkError: ink that cannot be read.
        DatasetError: a stored image that does not exist.
    """
    model = subject.model

    def made() -> Pass:
        return Pass(model, prepared(source, services.stored(source), model.input_shape, steps).image, subject.edits)

    return services.kept_pass((model.backend, model.version, model.input_shape, subject.edits, source, steps), made)


def _with_model(services: Services, found: Found, name: str, backend: str, source: Source, steps: Steps) -> Found:
    try:
        model = services.open_beside(name, backend)
        if model is None:
            stage = services.pool.stage(name, backend) or f"Opening {name}…"
            return replace(_trouble(found, Need.SECOND_MODEL, stage), opening=True)
    except BackendError as error:
        return _trouble(found, Need.SECOND_MODEL, f"The second model cannot be opened. {error}")
    forward = _forward(services, found.subject, model, source, steps)
    return replace(found, subject=replace(found.subject, second_model=model, second_forward=forward))


def _forward(services: Services, subject: Subject, model: Model, source: Source, steps: Steps) -> Pass | None:
    """The current image's pass through the second model; None while there is no image."""
    if subject.forward is None:
        return None
    image, edits = subject.image, subject.edits if model.version == subject.model.version else ()
    if model.input_shape != subject.model.input_shape:
        image = prepared(source, services.stored(source), model.input_shape, steps).image
    return Pass(model, image, edits)


def _with_run(services: Services, found: Found, id: str | None) -> Found:
    run = services.run(id) if id else None
    if run is None and id:
        return _trouble(found, Need.RUN, f"There is no training run {id!r} any more; choose another one.")
    if run is None and not services.recent("runs"):
        return _trouble(found, Need.RUN, "There are no training runs yet; what a training measures is shown here.")
    return replace(found, subject=replace(found.subject, run=run))


def _trouble(found: Found, need: Need, words: str) -> Found:
    return replace(found, troubles={**found.troubles, need: words})
