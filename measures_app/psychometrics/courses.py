"""Courses of scores for the commands that fit models: options and reading they share."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable

import numpy as np

from .files import LARGEST, FileProblem, LongData, read_long


def add_range_arguments(parser: argparse.ArgumentParser) -> None:
    """Options for the ends of the scale."""
    parser.add_argument("--lowest", type=number, metavar="X", help="lower end of the scale")
    parser.add_argument("--highest", type=number, metavar="X", help="upper end of the scale")
    parser.set_defaults(has_range=True)


def number(text: str) -> float:
    """Read a number from the command line: no infinity, and not "nan"."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def positive(text: str) -> float:
    """Read a positive number from the command line."""
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def at_least(least: int) -> Callable[[str], int]:
    """Read a whole number from the command line, not below `least`."""

    def read(text: str) -> int:
        if not (text.strip().isdecimal() and int(text) >= least):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of {least} or more")
        return int(text)

    return read


def _ends(args: argparse.Namespace) -> tuple[float, float]:
    """Ends of the scale; where the options name none, of all numbers that are taken."""
    if not hasattr(args, "has_range"):
        return -LARGEST, LARGEST
    low = -LARGEST if args.lowest is None else args.lowest
    high = LARGEST if args.highest is None else args.highest
    if not low < high:
        args.parser.error("--lowest must lie below --highest")
    return low, high


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
    low, high = _ends(args)
    data = read_long(
        args.file,
        client=args.client,
        session=args.session or "session",
        score=args.score,
        t=args.t,
        session_required=args.session is not None or args.t == "value",
        lowest=low,
        highest=high,
    )
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
