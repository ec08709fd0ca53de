from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from measures_app.actions import correct_administration, void_administration
from measures_app.answered import newest_of, visits_of
from measures_app.correction_form import VOID, CorrectionForm
from measures_app.models import Administration
from sessions_app import audit, rights
from sessions_app.models import Client, Episode

OK, UNPROCESSABLE, CONFLICT = 200, 422, 409


def _episode(client: Client, user: Any, wanted: str | None) -> Episode:
    episodes = Episode.objects.visible_to(user).filter(client=client).select_related("programme")
    if wanted is not None:
        episodes = (
            episodes.filter(pk=wanted)
            if wanted.isdecimal() and len(wanted) < 19
            else episodes.none()
        )
    episode = episodes.order_by("-opened_on", "-pk").first()
    if episode is None:
        raise Http404
    return episode


@rights.needs("see_clinical")
def scores(request: HttpRequest, code: str) -> HttpResponse:
    """What was answered in this course of care, and what was put right?"""
    client = (
        Client.objects.visible_to(request.user)
        .select_related("identity", "key")
        .filter(code=code)
        .first()
    )
    if client is None:
        raise Http404
    episode = _episode(client, request.user, request.GET.get("episode"))
    episode.client = client
    audit.client_read(client, "scores")
    context = {
        "client": client,
        "episode": episode,
        "visits": visits_of(episode),
        "may_enter": rights.may(request.user, "enter_scores"),
    }
    return render(request, "measures/scores.html", context)


def scores_url(row: Administration) -> str:
    """Where the scores of a row's episode stand, at its own place on the page."""
    return f"{reverse('scores', args=[row.client.code])}?episode={row.episode_id}#score-{row.pk}"


def _row_or_404(pk: int, user: Any) -> Administration:
    row = (
        Administration.objects.visible_to(user)
        .select_related(
            "client__identity", "client__key", "measure", "version", "respondent", "recorded_by",
            "voided_by",
        )
        .filter(pk=pk)
        .first()
    )  # fmt: skip
    if row is None:
        raise Http404
    return row


def _page(
    request: HttpRequest,
    form: CorrectionForm,
    status: int = OK,
    preview: bool = False,
    newest: Administration | None = None,
) -> HttpResponse:
    """The form; with `newest`, someone was first, and what was typed goes against that row."""
    context = {
        "form": form,
        "row": form.row,
        "client": form.row.client,
        "preview": preview,
        "newest": newest,
        "voids": preview and form.cleaned_data["what"] == VOID,
        "back": scores_url(form.row),
    }
    return render(request, "measures/correct.html", context, status=status)


@rights.needs("enter_scores")
def correct(request: HttpRequest, pk: int) -> HttpResponse:
    """What should this score have been? Looked at once more before it is kept."""
    row = _row_or_404(pk, request.user)
    newest = newest_of(row)
    gone = newest if newest.pk != row.pk or newest.voided else None
    if request.method != "POST":
        audit.client_read(row.client, "score correction")
        return _page(request, CorrectionForm(row=row), newest=gone)
    form = CorrectionForm(request.POST, row=row)
    if gone is not None:
        form.is_valid()
        return _page(request, form, CONFLICT, newest=gone)
    if not form.is_valid():
        return _page(request, form, UNPROCESSABLE)
    if form.cleaned_data["previewed"] != form.sign():
        form.data = form.data.copy()
        form.data["previewed"] = form.sign()
        return _page(request, form, preview=True)
    return _keep(request, form)


def _keep(request: HttpRequest, form: CorrectionForm) -> HttpResponse:
    row, reason = form.row, form.cleaned_data["reason"]
    try:
        if form.cleaned_data["what"] == VOID:
            kept = void_administration(administration=row, reason=reason, by=request.user)
            messages.success(request, _("Taken out of every reading; it stays visible here."))
        else:
            kept = correct_administration(
                administration=row, reason=reason, by=request.user, **form.given()
            )
            messages.success(
                request,
                _("Put right. The client's picture follows at once, the clinic's figures tonight."),
            )
    except ValidationError:
        # Somebody was first between our look and the lock.
        return _page(request, form, CONFLICT, newest=newest_of(_row_or_404(row.pk, request.user)))
    return redirect(scores_url(kept))
