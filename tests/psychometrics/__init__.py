"""Tests of the statistical core; they need no database."""
