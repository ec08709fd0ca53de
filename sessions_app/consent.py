"""Who sees the scores, in plain words: which version is shown to whom, and what they said.

The statement stands above the questions of the first form, and of the first after a version that
asks again. Sending that form is the answer, and is recorded with version, language and time;
whoever would rather not answer says so there, and is asked nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from sessions_app.models import Consent, ConsentStatement, Respondent
from sessions_app.prepared import Prepared

# What a clinic begins with; it says its own under Settings. Version 0.
BUILT_IN = {
    "en": (
        "Your answers are for you and the people who treat you here: your clinician, whoever "
        "stands in for them, and their supervisor. They look at them with you, to see whether "
        "what we do helps.\n\n"
        "The front desk does not see them, and neither does your insurer. If others answer about "
        "you, they do not see your answers, and you do not see theirs, unless you agree on it. "
        "The clinic also counts answers of many people together, without names.\n\n"
        "You need not answer. Your care does not depend on it, and you can change your mind at "
        "any time. You may have a copy of everything, have mistakes put right, and ask us to "
        "erase who you are."
    ),
    "es": (
        "Sus respuestas son para usted y para quienes le atienden aquí: su terapeuta, quien le "
        "sustituya y la persona que supervisa su trabajo. Las miran con usted para ver si lo que "
        "hacemos le ayuda.\n\n"
        "La recepción no las ve, y su aseguradora tampoco. Si otras personas responden sobre "
        "usted, no ven sus respuestas ni usted las suyas, salvo que lo acuerden. La clínica "
        "también cuenta las respuestas de muchas personas juntas, sin nombres.\n\n"
        "No tiene que responder. Su atención no depende de ello y puede cambiar de opinión cuando "
        "quiera. Puede pedir una copia de todo, que se corrijan errores y que borremos quién es "
        "usted."
    ),
}
LANGUAGES = tuple(BUILT_IN)


@dataclass(frozen=True)
class Statement:
    """A version in one language."""

    version: int
    language: str
    text: str


def versions() -> tuple[int, dict[str, str], int]:
    """(newest version, its texts by language, the newest version that asks again)."""
    rows = _SAID.rows([0])
    if not rows:
        return 0, BUILT_IN, 0
    newest = max(rows)
    asking = max((version for version, _texts, again in rows if again), default=0)
    return newest[0], newest[1], asking


_SAID = Prepared(
    lambda least: ConsentStatement.objects.filter(pk__gte=least[0]).values_list(
        "version", "texts", "asks_again"
    )
)
# Of one respondent; in the order of its index, or the database looks through everybody's, newest
# first, until it meets one of theirs.
_NEWEST = Prepared(
    lambda respondents: Consent.objects.filter(respondent__in=respondents).order_by(
        "respondent", "-pk"
    )[:1]
)


def newest_of(respondent: Respondent) -> Consent | None:
    return next(iter(_NEWEST.objects([respondent.pk])), None)


def to_show(respondent: Respondent) -> Statement | None:
    """What stands before this person's next form; None when they agreed to what is in force."""
    version, texts, asking = versions()
    said = newest_of(respondent)
    if said is not None and said.answer == Consent.Answer.AGREED and said.version >= asking:
        return None
    language = respondent.language if respondent.language in texts else LANGUAGES[0]
    return Statement(version, language, texts[language])
