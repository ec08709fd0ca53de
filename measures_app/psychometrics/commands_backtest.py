"""Command line of the core: `backtest`."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from .backtest import Backtest
from .change import ChangeCriteria
from .commands_change import add_file_arguments, print_notes
from .courses import add_range_arguments, at_least, positive, read_courses
from .deals import over_deals
from .files import FileProblem
from .growth import NotConverged, NotEnoughData
from .outlook import step_of

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def register(subparsers: Subparsers) -> None:
    """Add `backtest` to the command line.

    Parameters
    ----------
    subparsers : argparse action
        As returned by ``ArgumentParser.add_subparsers``. The command sets ``run``, a function of
        the parsed arguments that returns the exit status.
    """
    one = subparsers.add_parser("backtest", help="the models on clients they haven't seen")
    add_file_arguments(one)
    one.add_argument("--reliable-change", type=positive, required=True, metavar="X")
    one.add_argument(
        "--rc-strict",
        action="store_true",
        help="the reliable change must be exceeded, not only reached",
    )
    one.add_argument("--folds", type=at_least(2), default=10, metavar="N")
    one.add_argument(
        "--deals",
        type=at_least(1),
        default=1,
        metavar="N",
        help="ways of dealing clients to folds; what moves from one to the next is chance",
    )
    add_range_arguments(one)
    one.set_defaults(run=run_backtest, parser=one)


def run_backtest(args: argparse.Namespace) -> int:
    """Print the back-test of all ended courses in the file."""
    data, late = read_courses(args)
    lowest = float(data.score.min()) if args.lowest is None else args.lowest
    highest = float(data.score.max()) if args.highest is None else args.highest
    criteria = ChangeCriteria(
        args.better,
        args.reliable_change,
        rc_inclusive=not args.rc_strict,
        lowest=lowest,
        highest=highest,
    )
    try:
        results = [
            Backtest(
                data.clients,
                data.codes,
                data.t,
                data.score,
                criteria,
                step=step_of(data.score),
                # Ranks know nothing of time; a session's own number is its time already.
                moment=data.moment if args.t == "rank" else None,
                folds=args.folds,
                deal=deal,
            ).run()
            for deal in range(args.deals)
        ]
    except NotEnoughData as problem:
        raise FileProblem(args.file, f"not enough data yet: {problem}") from None
    except NotConverged as problem:
        raise FileProblem(args.file, f"no model was found: {problem}") from None
    sessions = results[0]
    if args.json:
        result = {
            "sessions": sessions,
            "deals": over_deals(results),
            "folds": args.folds,
            "clients": len(data.clients),
            "lowest": lowest,
            "highest": highest,
            "ties": data.ties,
            "missing_scores": data.missing,
            "measured_late": late,
        }
        print(json.dumps(result, allow_nan=False))
        return 0
    print(f"{len(data.clients)} clients, {args.folds} folds; the last score of care is predicted")
    print(
        "session     n  RMSE growth  (curve alone)  challenger  expected  last   "
        "AUC growth  challenger  slope"
    )
    for row in sessions:
        growth, challenger = row["growth"], row["challenger"]
        print(
            f"{row['session']:>7}{row['n']:>6}{_cell(growth['rmse']):>13}"
            f"{_cell(row['curve']['rmse']):>15}{_cell(challenger['rmse']):>12}{_cell(row['static']['rmse']):>10}"
            f"{_cell(row['last']['rmse']):>6}{_cell(growth['auc']):>13}"
            f"{_cell(challenger['auc']):>12}{_cell(growth['calibration_slope']):>7}"
        )
    if args.deals > 1:
        _print_deals(over_deals(results), args.deals)
    print_notes(data)
    return 0


def _print_deals(found: list[dict[str, Any]], deals: int) -> None:
    print(f"over {deals} ways of dealing clients to folds, mean (standard deviation):")
    print("session       RMSE growth        challenger        AUC growth        challenger")
    for row in found:
        cells = [
            row[method][name] for name in ("rmse", "auc") for method in ("growth", "challenger")
        ]
        said = [f"{_cell(one['mean'], 3)} ({_cell(one['sd'], 3)})" for one in cells]
        print(f"{row['session']:>7}" + "".join(f"{text:>18}" for text in said))


def _cell(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
