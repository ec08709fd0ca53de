"""What a FHIR document gets told: faults refuse it, notes say what wasn't kept."""

from __future__ import annotations

from dataclasses import dataclass, field

SHOWN_PLACES = 3


@dataclass(frozen=True)
class FhirFault:
    """One thing that stops the document, and where: `item "/44250-9"`, `line 3`."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" if self.where else self.reason


class FhirProblem(ValueError):
    """The document is refused; `faults` says where and why, all at once."""

    def __init__(self, faults: list[FhirFault]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = faults


def refuse(reason: str, where: str = "") -> FhirProblem:
    return FhirProblem([FhirFault(where, reason)])


@dataclass
class Report:
    """Faults and notes gathered while a document is read."""

    faults: list[FhirFault] = field(default_factory=list)
    _notes: dict[str, list[str]] = field(default_factory=dict)
    _small: set[str] = field(default_factory=set)

    def fault(self, where: str, reason: str) -> None:
        fault = FhirFault(where, reason)
        if fault not in self.faults:
            self.faults.append(fault)

    def note(self, what: str, where: str = "", *, small: bool = False) -> None:
        """Say what wasn't kept; what changes no answer and no score is small and comes last."""
        if small:
            self._small.add(what)
        places = self._notes.setdefault(what, [])
        if where and where not in places:
            places.append(where)

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence a thing, with the places it concerns."""
        ordered = sorted(self._notes.items(), key=lambda note: note[0] in self._small)
        return tuple(_with_places(what, places) for what, places in ordered)

    def stop_if_faulty(self) -> None:
        """Raise what was found so far.

        Raises
        ------
        FhirProblem
        """
        if self.faults:
            raise FhirProblem(self.faults)


def _with_places(what: str, places: list[str]) -> str:
    if not places:
        return what
    shown = ", ".join(places[:SHOWN_PLACES])
    more = len(places) - SHOWN_PLACES
    return f"{what} ({shown}{f' and {more} more' if more > 0 else ''})"
