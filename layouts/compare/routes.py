"""What the compare page asks the server for. Each route parses, calls one function, and answers with one frame."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Flask, Response, abort

from ...backends.base import Array, BackendError
from ...datasets.base import DatasetError
from ...drawing.ink import InkError
from ...evaluation.parity import ParityError
from ...training.config import RunError
from ..exchange import as_frame, sent
from ..naming import Asked
from ..services import Services
from ..train.figures import curves
from .answer import answer, run
from .experiments import parity_told, permutation_told, shifts_of_digits_told, shifts_told
from .measures import Kept, Measures
from .question import Question

log = logging.getLogger(__name__)

FAULTS = (BackendError, DatasetError, InkError, ParityError, RunError)


def register_compare_routes(server: Flask, services: Services, prefix: str) -> None:
    """Adds the routes below the page's own address."""
    routes = Blueprint("compare", __name__, url_prefix=prefix)
    measures, shares = Measures(services), Kept[Array]()
    tasks: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
        "answer": lambda given: answer(services, Question.of(given)),
        "run": lambda given: run(services, Question.of(given), str(given["panel"]), str(given["page"])[:20]),
        "parity": lambda given: parity_told(services, Question.of(given), given),
        "shifts": lambda given: shifts_told(services, Question.of(given)),
        "digits": lambda given: shifts_of_digits_told(services, Question.of(given), shares),
        "permutation": lambda given: permutation_told(services, Question.of(given)),
        "facts": lambda given: _facts(services, measures, Question.of(given)),
        "measure": lambda given: measures.measured(Asked(str(given["model"]), str(given["backend"]))),
        "curves": lambda given: _curves(services, given),
    }

    @routes.post("/<task>")
    def asked(task: str) -> Response:
        """Does what is asked for; `fault` says in a sentence why it cannot be done."""
        return as_frame(_done(tasks.get(task) or abort(404), sent()))

    server.register_blueprint(routes)


def _done(task: Callable[[Mapping[str, Any]], Any], given: Mapping[str, Any]) -> Any:
    try:
        return task(given)
    except FAULTS as error:
        log.warning("%s", error)
        return {"fault": str(error)}
    except (KeyError, TypeError, ValueError) as error:
        log.warning("The question cannot be read", exc_info=True)
        return {"fault": f"The page asked for something that cannot be read ({type(error).__name__}: {error})."}
    except Exception as error:
        log.exception("No answer")
        return {"fault": f"Layerscope failed ({type(error).__name__}: {error}); its log says more."}


def _facts(services: Services, measures: Measures, question: Question) -> Any:
    """What is known of each network without measuring; None for one that is not there yet."""
    found = []
    for asked in question.subjects:
        try:
            model = services.open_beside(asked.model, asked.backend)
        except BackendError:
            model = None
        found.append(measures.facts(asked, model) if model else None)
    return {"fault": None, "facts": found}


def _curves(services: Services, given: Mapping[str, Any]) -> Any:
    """The training curves of several runs in one figure."""
    ids = [str(id) for id in given.get("runs", [])][:4]
    runs = [found for id in ids if (found := services.run(id))]
    return {"fault": None, "figure": curves(runs).to_dict() if runs else None}
