"""A large clinic's probabilities are held to its newest courses alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from measures_app import prognosis
from measures_app.courses import Courses


def test_only_the_newest_courses_are_left_out_in_turn(monkeypatch: Any):
    monkeypatch.setattr(prognosis, "MOST_COURSES", 2)
    scores = pd.DataFrame({"series": [0, 0, 1, 2, 2], "t": [1, 2, 1, 1, 2], "score": range(5)})
    visits = pd.DataFrame(
        {"series": [0, 0, 1, 2, 2], "t": [1, 2, 1, 1, 2], "event": [0, 1, 0, 0, 2]}
    )
    courses = Courses(scores, visits, np.array([30, 10, 20]), np.array([True, False, True]))
    newest = prognosis._newest(courses)
    assert newest.episodes.tolist() == [30, 20]
    assert newest.ended.tolist() == [True, True]
    assert newest.scores["series"].tolist() == [0, 0, 1, 1]
    assert newest.scores["score"].tolist() == [0, 1, 3, 4]
    assert newest.visits["event"].tolist() == [0, 1, 0, 2]
    monkeypatch.setattr(prognosis, "MOST_COURSES", 3)
    assert prognosis._newest(courses) is courses
