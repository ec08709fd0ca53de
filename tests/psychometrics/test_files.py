"""Score files: every usual form is read as what it is; the rest is refused in one line."""

from __future__ import annotations

import numpy as np
import pytest

from measures_app.psychometrics.files import FileProblem, read_long

from .oracles import reference_file

PLAIN = "client,session,score\nana,2,20\nana,1,15\nben,1,30\n"


@pytest.fixture
def file_of(tmp_path):
    def write(content, name="scores.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write


def test_rows_are_sorted_by_client_and_session(file_of):
    data = read_long(file_of(PLAIN))
    assert data.clients == ("ana", "ben")
    assert data.codes.tolist() == [0, 0, 1]
    assert data.t.tolist() == [1, 2, 1]
    assert data.score.tolist() == [15, 20, 30]
    assert data.counts.tolist() == [2, 1]
    first, last = data.first_and_last()
    assert first.tolist() == [15, 30]
    assert last[0] == 20
    assert np.isnan(last[1])


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace(",", "|").encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\n\n").encode(),
        b"\n" + PLAIN.encode(),
        PLAIN.replace("ana,", '"ana",').encode(),
        PLAIN.replace(",score", ", score ").encode(),
        PLAIN.replace("ana,1,15", " ana ,1.0, 1.5e1").encode(),
    ],
)
def test_the_same_table_is_read_from_every_usual_form(file_of, content):
    data = read_long(file_of(content))
    assert data.clients == ("ana", "ben")
    assert data.score.tolist() == [15, 20, 30]


def test_old_encodings_and_decimal_commas_are_read(file_of):
    data = read_long(file_of("client;session;score\nJosé;1;12,5\nJosé;2;8,0\n".encode("cp1252")))
    assert data.clients == ("José",)
    assert data.score.tolist() == [12.5, 8.0]


def test_other_names_dates_and_numbers_serve(file_of):
    path = file_of("who,day,BDI\n7,2024-03-08,20\n7,2024-03-01T09:30,25\n7,2024-03-01,24\n")
    data = read_long(path, "who", "day", "BDI")
    assert data.score.tolist() == [24, 25, 20]
    assert data.t.tolist() == [1, 2, 3]
    zoned = file_of("client,session,score\na,2024-03-01T09:30+01:00,1\n")
    assert read_long(zoned).score.tolist() == [1]


def test_the_number_itself_can_be_the_session(file_of):
    path = file_of("client,session,score\na,4,20\na,1,15\n")
    assert read_long(path, t="value").t.tolist() == [1, 4]


def test_ties_keep_the_files_order_and_are_counted(file_of):
    path = file_of("client,session,score\na,1,20\na,1,15\na,1,10\nb,1,5\n")
    data = read_long(path)
    assert data.score.tolist() == [20, 15, 10, 5]
    assert data.t.tolist() == [1, 2, 3, 1]
    assert data.ties == 2


def test_missing_scores_are_left_out_and_counted(file_of):
    path = file_of("client,session,score\na,1,20\na,Post,\na,3,NA\na,4,NaN\na,5,10\n")
    data = read_long(path)
    assert data.missing == 3
    assert data.score.tolist() == [20, 10]
    assert data.t.tolist() == [1, 2]


def test_without_a_session_column_the_files_order_can_count(file_of):
    path = file_of("client,score\na,20\nb,1\na,10\n")
    data = read_long(path, session_required=False)
    assert data.score.tolist() == [20, 10, 1]
    assert data.ties == 0
    with_column = read_long(file_of(PLAIN), session_required=False)
    assert with_column.score.tolist() == [15, 20, 30]


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("", "scores.csv: is empty"),
        (" \n \n", "scores.csv: is empty"),
        ("client,session,score\n", "column score: there is no row with a score"),
        ("client,session\na,1\n", "row 1, column score: is not in the header"),
        ("who,session,score\na,1,2\n", "row 1, column client: is not in the header"),
        ("client,score\na,1\n", "row 1, column session: is not in the header"),
        ("client,session,score,score\na,1,2,3\n", "row 1, column score: is in the header 2 times"),
        (PLAIN + "ben,2,high\n", "row 5, column score: 'high' is not a number"),
        (PLAIN + "ben,2,inf\n", "row 5, column score: 'inf' is not a number"),
        (PLAIN + "ben,2,1e999\n", "row 5, column score: '1e999' is not a number"),
        (PLAIN + "ben,2,1_0\n", "row 5, column score: '1_0' is not a number"),
        (PLAIN + "\nben,Post-Rx,3\n", "row 6, column session: 'Post-Rx' is neither"),
        (PLAIN + "ben,2024-02-30,3\n", "row 5, column session: '2024-02-30' is neither"),
        (PLAIN + "ben,,3\n", "row 5, column session: is empty"),
        (PLAIN + "ben,2024-02-28,3\n", "row 5, column session: '2024-02-28' is a date after"),
        (PLAIN + " ,2,3\n", "row 5, column client: is empty"),
        (PLAIN + "ben,2\n", "row 5, column score: 2 cells where the header has 3"),
        (PLAIN + "ben,2,3,4\n", "row 5, column score: 4 cells where the header has 3"),
        (PLAIN + "ben,2," + "x" * 60 + "\n", "..."),
        (PLAIN + 'ben,2,"3"x\n', "is not a CSV file"),
        (b"PK\x03\x04rest", "workbook"),
        (b"client,session,score\n\x00,1,2\n", "not text"),
        (b"client,session,score\n\x81\x8d,1,2\n", "not text"),
        (b"\xff\xfea", "not text"),
    ],
)
def test_a_malformed_file_is_refused_in_one_line(file_of, content, where):
    with pytest.raises(FileProblem) as caught:
        read_long(file_of(content))
    line = str(caught.value)
    assert where in line
    assert "scores.csv" in line
    assert "\n" not in line


def test_a_problem_keeps_its_parts(file_of):
    with pytest.raises(FileProblem) as caught:
        read_long(file_of(PLAIN + "ben,2,high\n"))
    assert (caught.value.row, caught.value.column) == (5, "score")
    assert caught.value.path.endswith("scores.csv")
    assert caught.value.reason == "'high' is not a number"


def test_a_date_cannot_be_a_session_number(file_of):
    with pytest.raises(FileProblem, match="row 2, column session: a date can't"):
        read_long(file_of("client,session,score\na,2024-03-01,1\n"), t="value")
    with pytest.raises(FileProblem, match="row 1, column session: is not in the header"):
        read_long(file_of("client,score\na,1\n"), t="value", session_required=False)


def test_a_file_that_is_not_there_is_a_problem_of_that_file(tmp_path):
    with pytest.raises(FileProblem, match=r"none\.csv: no such file"):
        read_long(tmp_path / "none.csv")
    with pytest.raises(FileProblem, match="directory"):
        read_long(tmp_path)


def test_the_enrichd_half_has_its_clients_and_rows():
    path = reference_file("data", "enrichd_cbt_bdi_odd.csv")
    data = read_long(path, "ID", "time", "BDI")
    assert (len(data.clients), data.score.size, data.missing) == (279, 3450, 0)
