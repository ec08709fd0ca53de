"""Command line of the core: `classify` and `effect-size`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

import numpy as np

from .change import (
    Better,
    ChangeCriteria,
    FloatArray,
    classify,
    count_classes,
    cutoff_a,
    cutoff_b,
    cutoff_c,
    reliable_change_threshold,
)
from .courses import number, positive
from .effect import effect_size
from .files import FileProblem, LongData, read_long

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_file_arguments(parser: argparse.ArgumentParser, better_required: bool = True) -> None:
    """Options shared by all commands that read scores from a CSV file.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Gets FILE, --client, --session, --score, --t, --better and --json.
    better_required : bool
        False where a stored model may say it.
    """
    parser.add_argument("file", metavar="FILE", help="CSV in long form, one row a score")
    parser.add_argument("--better", choices=("higher", "lower"), required=better_required)
    parser.add_argument("--client", default="client", metavar="NAME", help="column (client)")
    parser.add_argument("--session", metavar="NAME", help="column (session)")
    parser.add_argument("--score", default="score", metavar="NAME", help="column (score)")
    parser.add_argument(
        "--t",
        choices=("rank", "value"),
        default="rank",
        help="session number: rank within the client (default), or the column's own number",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _read(args: argparse.Namespace) -> LongData:
    """Read the file; its own order counts where it has no session column and none was named."""
    return read_long(
        args.file,
        client=args.client,
        session=args.session or "session",
        score=args.score,
        t=args.t,
        session_required=args.session is not None or args.t == "value",
    )


def register(subparsers: Subparsers) -> None:
    """Add `classify` and `effect-size` to the command line.

    Parameters
    ----------
    subparsers : argparse action
        As returned by ``ArgumentParser.add_subparsers``. Each command sets ``run``, a function of
        the parsed arguments that returns the exit status.
    """
    one = subparsers.add_parser("classify", help="classes of change from first to last score")
    add_file_arguments(one)
    one.add_argument("--reliable-change", type=positive, metavar="X", help="published threshold")
    one.add_argument("--reliability", type=number, metavar="R", help="to compute the threshold")
    one.add_argument("--sd", type=positive, metavar="S", help="SD of the clinical population")
    one.add_argument("--clinical-mean", type=number, metavar="M")
    one.add_argument("--cutoff", type=number, metavar="C", help="published cutoff")
    one.add_argument("--cutoff-type", choices=("a", "b", "c"), help="to compute the cutoff")
    one.add_argument("--functional-mean", type=number, metavar="M")
    one.add_argument("--functional-sd", type=positive, metavar="S")
    one.add_argument(
        "--b-sd",
        choices=("clinical", "functional"),
        default="clinical",
        help="SD that cutoff b is measured with: the clinical one (default), as the reference "
        "implementation, or the functional one",
    )
    one.add_argument(
        "--at-cutoff",
        choices=("clinical", "functional", "neither"),
        help="side of a score at the cutoff; default: for a published one the side of the higher "
        "scores, for a computed one neither",
    )
    one.add_argument(
        "--rc-strict",
        action="store_true",
        help="a published reliable change must be exceeded, not only reached",
    )
    one.set_defaults(run=run_classify, parser=one)

    two = subparsers.add_parser("effect-size", help="standardised change from first to last score")
    add_file_arguments(two)
    two.set_defaults(run=run_effect_size, parser=two)


def run_classify(args: argparse.Namespace) -> int:
    """Print counts of the four classes. Usage errors leave with status 2."""
    data = _read(args)
    first, last = data.first_and_last()
    both = ~np.isnan(last)
    try:
        criteria = _criteria(args, first[both])
    except ValueError as problem:
        raise FileProblem(args.file, str(problem)) from None
    counts = count_classes(classify(first[both], last[both], criteria))
    result = {
        "clients": counts.clients,
        "one_score": int((~both).sum()),
        "cutoff": criteria.cutoff,
        "reliable_change": criteria.reliable_change,
        "recovered": counts.recovered,
        "improved": counts.improved,
        "unchanged": counts.unchanged,
        "deteriorated": counts.deteriorated,
        "started_functional": counts.started_functional,
        "crossed_into_clinical": counts.crossed_into_clinical,
        "ties": data.ties,
        "missing_scores": data.missing,
    }
    if args.json:
        print(json.dumps(result, allow_nan=False))
        return 0
    print(
        f"{counts.clients} clients with two scores; "
        f"{result['one_score']} with one score are not classed"
    )
    sides = {
        "neither": "at the cutoff: on neither side",
        "clinical": "at the cutoff: clinical side",
        "functional": "at the cutoff: functional side",
    }
    reached = "reached" if criteria.rc_inclusive else "exceeded"
    print(f"cutoff {criteria.cutoff:.6g} ({sides[criteria.at_cutoff]})")
    print(f"reliable change {criteria.reliable_change:.6g}, to be {reached}")
    for words, count in (
        ("recovered", counts.recovered),
        ("improved", counts.improved),
        ("unchanged", counts.unchanged),
        ("reliably worse", counts.deteriorated),
    ):
        share = f"{count / counts.clients:.1%}" if counts.clients else "-"
        print(f"  {words:<15}{count:>8}{share:>9}")
    print(
        f"  beside these: {counts.started_functional} started on the functional side, "
        f"{counts.crossed_into_clinical} entered the clinical range"
    )
    print_notes(data)
    return 0


def _criteria(args: argparse.Namespace, first: FloatArray) -> ChangeCriteria:
    """Criteria from options, and from the first scores where options leave norms open."""
    better: Better = args.better
    sd = args.sd
    if sd is None and first.size > 1:
        sd = float(first.std(ddof=1))
    published = args.reliable_change is not None
    if published:
        reliable_change = args.reliable_change
    elif args.reliability is None:
        args.parser.error("give --reliable-change, or --reliability to compute it")
    elif sd is None:
        raise ValueError("without --sd it takes two clients with two scores")
    else:
        reliable_change = reliable_change_threshold(sd, args.reliability)
    at_cutoff = args.at_cutoff
    if args.cutoff is not None:
        cutoff = args.cutoff
        # "10 or more is a case", "25 or more is functional": published cutoffs count upwards.
        at_cutoff = at_cutoff or ("clinical" if better == "lower" else "functional")
    else:
        cutoff = _computed_cutoff(args, first, sd, better)
    return ChangeCriteria(
        better=better,
        reliable_change=reliable_change,
        cutoff=cutoff,
        rc_inclusive=published and not args.rc_strict,
        at_cutoff=at_cutoff or "neither",
    )


def _computed_cutoff(
    args: argparse.Namespace, first: FloatArray, sd: float | None, better: Better
) -> float:
    """Cutoff a, b or c; c where functional norms are given and no type is."""
    kind = args.cutoff_type or ("c" if args.functional_mean is not None else None)
    if kind is None:
        args.parser.error("give --cutoff, or --functional-mean and --functional-sd")
    if kind != "a" and args.functional_mean is None:
        args.parser.error(f"cutoff {kind} needs --functional-mean")
    functional_sd = args.functional_sd
    needs_functional_sd = kind == "c" or (kind == "b" and args.b_sd == "functional")
    if needs_functional_sd and functional_sd is None:
        args.parser.error(f"cutoff {kind} needs --functional-sd")
    if kind == "b" and args.b_sd == "functional":
        return cutoff_b(args.functional_mean, functional_sd, better)
    if sd is None:
        raise ValueError("without --sd it takes two clients with two scores")
    if kind == "b":
        return cutoff_b(args.functional_mean, sd, better)
    mean = args.clinical_mean
    if mean is None:
        if not first.size:
            raise ValueError("without --clinical-mean it takes clients with two scores")
        mean = float(first.mean())
    if kind == "a":
        return cutoff_a(mean, sd, better)
    return cutoff_c(mean, sd, args.functional_mean, functional_sd)


def run_effect_size(args: argparse.Namespace) -> int:
    """Print the effect size of all clients in the file."""
    data = _read(args)
    first, last = data.first_and_last()
    try:
        found = effect_size(first, last, args.better)
    except ValueError as problem:
        raise FileProblem(args.file, str(problem)) from None
    result = {
        "clients": found.n,
        "one_score": found.starters - found.n,
        "mean_first": found.mean_first,
        "mean_last": found.mean_last,
        "sd_first": found.sd,
        "d": found.d,
        "g": found.g,
        "variance": found.variance,
        "low": found.low,
        "high": found.high,
        "ties": data.ties,
        "missing_scores": data.missing,
    }
    if args.json:
        print(json.dumps(result, allow_nan=False))
        return 0
    print(f"{found.n} clients with two scores; {result['one_score']} with one score")
    print(f"mean first {found.mean_first:.2f}, mean last {found.mean_last:.2f}")
    print(f"SD of all {found.starters} first scores {found.sd:.2f}")
    print(f"effect size g {found.g:.2f} (95 % {found.low:.2f} to {found.high:.2f})")
    print(f"plain d {found.d:.2f}; better is positive")
    print_notes(data)
    return 0


def print_notes(data: LongData) -> None:
    """Say on the error stream what was read in a particular way."""
    if data.ties:
        print(f"{data.ties} rows share a session with another: file order kept", file=sys.stderr)
    if data.missing:
        print(f"{data.missing} rows without a score left out", file=sys.stderr)
