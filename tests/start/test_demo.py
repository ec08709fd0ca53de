"""A demo's database is refused wherever the rules that protect people hold."""

from __future__ import annotations

import pytest
from django.db import connection

from outcomes_site import demo
from sessions_app.models import Installation


def test_production_refuses_a_demos_database(committed_database, settings):
    settings.IS_PRODUCTION = True
    Installation.objects.update_or_create(id=1, defaults={"demo": True})
    connection.close()
    demo.connect()
    try:
        with pytest.raises(demo.DemoDatabase):
            Installation.objects.first()
        demo.connection_created.disconnect(dispatch_uid=demo.REFUSAL)
        Installation.objects.update(demo=False)
        connection.close()
        demo.connect()
        assert Installation.objects.first() is not None
    finally:
        demo.connection_created.disconnect(dispatch_uid=demo.REFUSAL)


def test_elsewhere_it_is_not_asked(settings):
    settings.IS_PRODUCTION = False
    demo.connect()
    assert not demo.connection_created.disconnect(dispatch_uid=demo.REFUSAL)
