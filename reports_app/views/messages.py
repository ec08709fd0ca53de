from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from reports_app import digest
from sessions_app import actions, mail, rights, texting


class MessagesForm(forms.Form):
    weekly_digest = forms.BooleanField(
        required=False,
        label=gettext_lazy("A mail each Monday"),
        help_text=gettext_lazy("What waits for you, in numbers and links; no client is named."),
    )

    alert_phone = forms.RegexField(
        r"^\+?[0-9 ()/.-]{4,40}$",
        required=False,
        max_length=40,
        label=gettext_lazy("A number for texts about answers that can't wait"),
        help_text=gettext_lazy("Beside the mail and the line on your pages; empty: no texts."),
        error_messages={"invalid": gettext_lazy("A phone number such as +44 20 7946 0000.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not texting.is_set_up():
            del self.fields["alert_phone"]


@rights.needs("see_clinical")
def mine(request: HttpRequest) -> HttpResponse:
    """What is sent to me? Each message can be turned off, but for answers that can't wait."""
    user = request.user
    if request.method == "POST":
        form = MessagesForm(request.POST)
        if form.is_valid():
            actions.choose_messages(user=user, by=user, **form.cleaned_data)
            messages.success(request, _("Kept."))
            return redirect("my_messages")
    else:
        form = MessagesForm(
            initial={"weekly_digest": user.weekly_digest, "alert_phone": user.alert_phone}
        )
    counts = digest.counts_of(user)
    context = {
        "form": form,
        "preview": digest.text_of(counts) if counts else "",
        "is_set_up": mail.is_set_up(),
    }
    return render(request, "reports/messages.html", context)
