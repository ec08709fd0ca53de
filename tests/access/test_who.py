"""Who is meant by a rule that names people by what they do: asked of access itself."""

from __future__ import annotations

from datetime import timedelta

from sessions_app import access, actions, clinic_time, rights
from sessions_app.context import Actor, acting_as
from sessions_app.models import Episode, Referral, Site, User
from tests.access.test_scope import names
from tests.cast import BY, PEOPLE, Clinic


def _who(clinic: Clinic, people: object) -> set[str]:
    return names(clinic, people, "users")


def test_a_clinicians_supervisors_supervise_today_and_hold_the_role(clinic: Clinic) -> None:
    alice, ruth = clinic.clinicians["alice"], clinic.clinicians["ruth"]
    with acting_as(BY):
        assert _who(clinic, access.supervisors_of(alice)) == {"sofia"}
        assert not access.supervisors_of(ruth)
        tomorrow = clinic_time.today() + timedelta(days=1)
        actions.supervise(supervisor=clinic.sofia, clinician=ruth, from_on=tomorrow, by=BY)
        actions.supervise(supervisor=clinic.dora, clinician=ruth, by=BY)
        assert not access.supervisors_of(ruth)


def test_those_who_treat_or_supervise_can_be_asked_to_a_conference(clinic: Clinic) -> None:
    with acting_as(BY):
        treat_or_supervise = {"alice", "bob", "carol", "ruth", "sofia"}
        assert _who(clinic, access.who_may_confer()) == treat_or_supervise
        User.objects.filter(pk=clinic.bob.pk).update(is_active=False)
        assert _who(clinic, access.who_may_confer()) == treat_or_supervise - {"bob"}


def test_the_sites_of_a_desk_are_those_of_its_own_grants(clinic: Clinic) -> None:
    with acting_as(BY):
        assert set(access.desk_sites(clinic.fred)) == set(Site.objects.all())
        assert set(access.desk_sites(clinic.felix)) == {clinic.south}
        for name in set(PEOPLE) - {"fred", "felix"}:
            assert not access.desk_sites(clinic.users[name]), name


def test_a_referral_is_seen_at_the_desks_of_its_site_and_by_nobody_who_treats_others(
    clinic: Clinic,
) -> None:
    today = clinic_time.today()
    with acting_as(BY):
        for name, site in (("ana", clinic.north), ("clara", clinic.south)):
            actions.receive_referral(
                client=clinic.clients[name], programme=clinic.therapy, site=site,
                source="self", received_on=today, by=BY,
            )  # fmt: skip
        seen = {
            name: {r.client_id for r in Referral.objects.filter(access.referrals_of(user))}
            for name, user in clinic.users.items()
        }
        both = {clinic.ana.pk, clinic.clara.pk}
        assert {name: found for name, found in seen.items() if found} == {
            "fred": both,
            "felix": {clinic.clara.pk},
        }
        at_no_desk = access.referrals_of(clinic.fred, desk=False)
        assert not Referral.objects.filter(at_no_desk)


def test_all_ones_episodes_planned_once_are_those_of_ones_scope(clinic: Clinic) -> None:
    with acting_as(BY):
        for name in (*PEOPLE, *PEOPLE):
            user = clinic.users[name]
            whole = Episode.objects.visible_to(user).values_list("pk", flat=True)
            assert sorted(access.all_episodes_seen(user)) == sorted(whole), name


def test_grants_are_those_of_the_people_asked_for(clinic: Clinic) -> None:
    """However many are asked for: what is planned once and what is asked anew say the same."""
    with acting_as(BY):
        for name, user in clinic.users.items():
            today = {grant.pk for grant in rights.grants_of(user)}
            assert today <= {grant.pk for grant in rights._grants([user.pk])}, name


def test_whoever_holds_a_link_may_answer_and_nothing_else() -> None:
    link = Actor("link", "one")
    everything = {right for carried in rights.RIGHTS.values() for right in carried}
    assert {right for right in everything if rights.may(link, right)} == {"enter_scores"}
