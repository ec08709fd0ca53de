"""The API of this version; `KINDS` are its kinds of rows."""

from measures_app.api.urls import router

KINDS = tuple(prefix for prefix, _viewset, _name in router.registry)
