"""Which networks stand side by side, and what each is called so that they can be told apart."""

from collections.abc import Sequence
from typing import NamedTuple

from .services import Services


class Asked(NamedTuple):
    """One network by the name that opens it, such as `cnn`, `run:ID` or `run:ID@epoch-001`, and what runs it."""

    model: str
    backend: str

    @classmethod
    def of(cls, text: str) -> "Asked":
        """As addresses name it: `backend:model`."""
        backend, _, model = text.partition(":")
        return cls(model, backend)

    def __str__(self) -> str:
        return f"{self.backend}:{self.model}"


def names_of(services: Services, networks: Sequence[Asked]) -> list[tuple[str, str]]:
    """The title of each network in its framework, and the part of it that tells it from the others here."""
    models, backends = [], []
    for network in networks:
        models.append(services.title(network.model))
        titles = (each.title for each in services.backends if each.name == network.backend)
        backends.append(next(titles, network.backend))
    whole = [" · ".join(each) for each in zip(models, backends, strict=True)]
    for parts in (models, backends):
        if len(set(parts)) == len(parts):
            return list(zip(whole, parts, strict=True))
    return list(zip(whole, whole, strict=True))
