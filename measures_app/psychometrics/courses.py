"""Courses of scores for the commands that fit models: options and reading they share."""

from __future__ import annotations

import argparse
import dataclasses
import math

import numpy as np

from .files import FileProblem, LongData, read_long

LARGEST = 1e9  # squares and their sums stay numbers; no measure comes near


def add_range_arguments(parser: argparse.ArgumentParser) -> None:
    """Options for the ends of the scale."""
    parser.add_argument("--lowest", type=float, metavar="X", help="lower end of the scale")
    parser.add_argument("--highest", type=float, metavar="X", help="upper end of the scale")


def positive(text: str) -> float:
    """Read a positive number from the command line."""
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError("a positive number")
    return value


def read_courses(args: argparse.Namespace) -> tuple[LongData, int]:
    """Read the file that the options name.

    Parameters
    ----------
    args : argparse.Namespace
        Options of `add_file_arguments`.

    Returns
    -------
    LongData
        With t by value: one score a session (at intake the first, later the last), and no
        course that was first measured after the second session.
    int
        Number of courses left out.

    Raises
    ------
    FileProblem
    """
    data = read_long(
        args.file,
        client=args.client,
        session=args.session or "session",
        score=args.score,
        t=args.t,
        session_required=args.session is not None or args.t == "value",
    )
    if float(np.abs(data.score).max()) > LARGEST:
        raise FileProblem(args.file, f"scores beyond {LARGEST:g} are refused", column=args.score)
    if args.t == "rank":
        return data, 0
    if data.t.min() < 1:
        raise FileProblem(args.file, "session numbers begin at 1", column=args.session or "session")
    starts = np.r_[True, data.codes[1:] != data.codes[:-1]]
    # At intake the first of several scores counts, later the last one.
    again = ~starts & (np.r_[0.0, data.t[:-1]] == data.t)
    at_intake = data.t == np.repeat(data.t[starts], data.counts)
    replaced = np.r_[again[1:], False] & ~at_intake
    late = np.repeat(data.t[starts] > 2, data.counts)
    keep = ~late & ~(again & at_intake) & ~replaced
    if not keep.any():
        raise FileProblem(args.file, "no course is measured from its first or second session on")
    names, codes = np.unique(data.codes[keep], return_inverse=True)
    return (
        dataclasses.replace(
            data,
            clients=tuple(data.clients[name] for name in names),
            codes=codes.astype(np.int64),
            t=data.t[keep],
            moment=data.moment[keep],
            score=data.score[keep],
        ),
        int((data.t[starts] > 2).sum()),
    )
