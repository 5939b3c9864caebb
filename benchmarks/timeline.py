"""From what the probe noted in a page to one entry for each ink: when the pen moved, when its answer was painted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Event = Mapping[str, Any]
Found = Mapping[str, Sequence[Event]]

PARTS = ("taken to sent", "server", "transfer", "painting", "two frames")


@dataclass(frozen=True)
class Ink:
    """One picture that went to the server while the pen was down, and its answer. Times in milliseconds.

    Attributes:
        moves: every movement of the pen that this ink is the first to contain.
        taken: when the page looked at its paper.
        sent: when the request left.
        first: when the first byte of the answer arrived.
        end: when the last one did.
        changed: when something on the screen changed for the last time because of it.
        shown: the second animation frame after that.
        places: what changed.
        bytes: size of the answer, compressed as it came.
    """

    moves: tuple[float, ...]
    taken: float
    sent: float
    first: float
    end: float
    changed: float
    shown: float
    places: frozenset[str]
    bytes: int

    @property
    def pen_to_paint(self) -> float:
        """From the newest movement in this ink."""
        return self.shown - self.moves[-1]

    @property
    def each_movement(self) -> list[float]:
        """The same from every movement, also those that had to wait until the answer before was painted."""
        return [self.shown - move for move in self.moves]

    @property
    def parts(self) -> dict[str, float]:
        """Where the time went."""
        moments = (self.taken, self.sent, self.first, self.end, self.changed, self.shown)
        return dict(zip(PARTS, (later - earlier for earlier, later in pairwise(moments)), strict=True))


def inks(found: Found) -> list[Ink]:
    """Every ink with a new movement whose answer changed at least one panel."""
    return [ink for ink in _every_ink(found) if ink.moves and any(_is_panel(place) for place in ink.places)]


def _every_ink(found: Found) -> Iterator[Ink]:
    events = sorted(found["events"], key=lambda event: event["at"])
    painted = [event for event in events if event["kind"] == "painted"]
    asked = [event for event in events if event["kind"] in {"taken", "sent"}]
    requests = sorted(found["requests"], key=lambda request: request["begin"])
    pen = [event for event in events if event["kind"] in {"down", "move", "up"}]
    before = 0.0
    for number, event in enumerate(asked[:-1]):
        sent = asked[number + 1]
        if (event["kind"], sent["kind"]) != ("taken", "sent"):
            continue
        until = asked[number + 2]["at"] if number + 2 < len(asked) else float("inf")
        moves = tuple(each["at"] for each in _moves(pen, before, event["at"]))
        before = event["at"]
        own = [each for each in painted if sent["at"] <= each["changed"] < until]
        request = next((each for each in requests if each["begin"] >= sent["at"] - 1), None)
        if own and request and request["begin"] < until:
            yield Ink(
                moves=moves,
                taken=event["at"],
                sent=sent["at"],
                first=request["first"],
                end=request["end"],
                changed=max(each["changed"] for each in own),
                shown=max(each["shown"] for each in own),
                places=frozenset(place for each in own for place in each["places"]),
                bytes=int(request["bytes"]),
            )


def _moves(pen: Sequence[Event], after: float, until: float) -> list[Event]:
    """Movements in this time; none when the pen is up at its end, for then the page may have begun to tidy up."""
    seen = [event for event in pen if event["at"] <= until]
    if not seen or seen[-1]["kind"] == "up":
        return []
    return [event for event in seen if event["kind"] == "move" and event["at"] > after]


def _is_panel(place: str) -> bool:
    return place != "answer" and not place.startswith("stage ")


def last_answer(found: Found) -> tuple[float, float]:
    """Milliseconds from the last pointer event to the paint of the last ink's answer, and to the last change of all.

    Every answer repaints the stages between ink and input, so that the first of those paints tells when the last
    answer came to the page, even where it changed nothing else.
    """
    pen = max(event["at"] for event in found["events"] if event["kind"] in {"move", "up"})
    asked = sorted((each for each in found["events"] if each["kind"] in {"taken", "sent"}), key=lambda each: each["at"])
    inks = [late for early, late in pairwise(asked) if (early["kind"], late["kind"]) == ("taken", "sent")]
    sent = inks[-1]["at"]  # what is asked for once the pen rests is no answer to it
    after = [event for event in found["events"] if event["kind"] == "painted" and event["changed"] >= sent]
    answered = min(event["shown"] for event in after if any(place.startswith("stage ") for place in event["places"]))
    return answered - pen, max(event["shown"] for event in after) - pen


def most_at_once(found: Found) -> int:
    """The largest number of requests under way at one time."""
    edges = [(each["begin"], 1) for each in found["requests"]] + [(each["end"], -1) for each in found["requests"]]
    running, most = 0, 0
    for _, step in sorted(edges):
        running += step
        most = max(most, running)
    return most
