"""Command line of the core: `fit` and `forecast`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .change import Better, ChangeCriteria
from .commands_change import add_file_arguments, print_notes
from .courses import add_range_arguments, number, positive, read_courses
from .files import FileProblem
from .forecast import Band, forecast_each
from .growth import GrowthModel, NotConverged, NotEnoughData, fit
from .outlook import boundaries, step_of
from .patterns import FloatArray
from .prior import Prior

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def register(subparsers: Subparsers) -> None:
    """Add `fit` and `forecast` to the command line.

    Parameters
    ----------
    subparsers : argparse action
        As returned by ``ArgumentParser.add_subparsers``. Each command sets ``run``, a function of
        the parsed arguments that returns the exit status.
    """
    one = subparsers.add_parser("fit", help="the expected-change model of a file of courses")
    add_file_arguments(one)
    one.add_argument("--no-ar", action="store_true", help="leave out the autocorrelated part")
    one.add_argument(
        "--prior",
        metavar="FILE",
        help="JSON of a prior, or of a model that fit wrote: pseudo-clients in the likelihood",
    )
    one.add_argument("--output", metavar="MODEL.json", help="write the model to a file")
    one.set_defaults(run=run_fit, parser=one)

    two = subparsers.add_parser("forecast", help="scores at a later session, a row a client")
    two.add_argument("model", metavar="MODEL.json", help="as written by fit --output")
    add_file_arguments(two, better_required=False)
    two.add_argument("--at", type=_session, required=True, metavar="SESSION")
    two.add_argument("--reliable-change", type=positive, metavar="X")
    add_range_arguments(two)
    two.set_defaults(run=run_forecast, parser=two)


def _session(text: str) -> float:
    value = number(text)
    if value < 2:
        raise argparse.ArgumentTypeError("a session after intake: 2 or more")
    return value


def run_fit(args: argparse.Namespace) -> int:
    """Fit the model and print it."""
    prior = None if args.prior is None else _prior(args.prior)
    data, late = read_courses(args)
    try:
        model = fit(
            data.codes,
            data.t,
            data.score,
            ar=not args.no_ar,
            prior=prior,
            standard_errors=True,
        )
    except NotEnoughData as problem:
        raise FileProblem(args.file, f"not enough data yet: {problem}") from None
    except NotConverged as problem:
        raise FileProblem(args.file, f"no model was found: {problem}") from None
    content = {**model.to_dict(), "better": args.better, "label": model.label()}
    result = {
        **content,
        "ties": data.ties,
        "missing_scores": data.missing,
        "measured_late": late,
    }
    if args.output is not None:
        try:
            Path(args.output).write_text(
                json.dumps(content, allow_nan=False, indent=1) + "\n", encoding="utf-8"
            )
        except OSError as problem:
            raise FileProblem(
                args.output, (problem.strerror or "can't be written").lower()
            ) from None
    if args.json:
        print(json.dumps(result, allow_nan=False))
        return 0
    print(f"{model.label()}: {model.rows} scores after intake")
    print(f"mean intake {model.intake_centre:.2f}; from there, L being log of the session:")
    b0, b1, b2, b3 = model.beta
    print(f"  expected  {b0:.3f} {b2:+.3f} L, and {b1:.3f} {b3:+.3f} L a point of intake more")
    print(
        f"  clients differ by SD {model.D[0][0] ** 0.5:.2f} in level, "
        f"{model.D[1][1] ** 0.5:.2f} in slope"
    )
    print(
        f"  within a client: SD {model.ar_variance**0.5:.2f} that lasts "
        f"(correlation {model.phi:.2f} a session), {model.noise_variance**0.5:.2f} of noise"
    )
    print(f"  REML criterion {model.minus_2_reml:.3f}, {model.seconds:.2f} s")
    if late:
        print(f"  {late} courses first measured after session 2 are left out")
    print_notes(data)
    return 0


def _json_of(path: str) -> dict[str, Any]:
    """Content of a JSON file that is an object."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as problem:
        raise FileProblem(path, (problem.strerror or "can't be read").lower()) from None
    except json.JSONDecodeError as problem:
        raise FileProblem(
            path, f"is not JSON ({problem.msg})", row=problem.lineno, column=str(problem.colno)
        ) from None
    except UnicodeDecodeError:
        raise FileProblem(path, "is not text in UTF-8") from None
    if not isinstance(content, dict):
        raise FileProblem(path, "is not a JSON object")
    return content


def _prior(path: str) -> Prior:
    try:
        return Prior.from_dict(_json_of(path))
    except ValueError as problem:
        if isinstance(problem, FileProblem):
            raise
        raise FileProblem(path, str(problem)) from None


def _model(path: str) -> tuple[GrowthModel, Better | None]:
    """A stored model and the direction that was stored with it."""
    content = _json_of(path)
    _prior(path)  # refuses parameters that are no model, by name
    try:
        model = GrowthModel.from_dict(content)
        sound = np.isfinite(np.r_[np.ravel(model.beta_covariance), model.clients]).all()
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound or np.shape(model.beta_covariance) != (4, 4):
        raise FileProblem(path, "is not a model that fit wrote")
    return model, content.get("better")


def run_forecast(args: argparse.Namespace) -> int:
    """Print the score of each client at one session, from all of the client's rows."""
    model, stored = _model(args.model)
    data, _ = read_courses(args)
    better: Better | None = args.better or stored
    if args.reliable_change is not None and better not in ("higher", "lower"):
        args.parser.error("--reliable-change needs --better: the model doesn't say")
    low = -np.inf if args.lowest is None else args.lowest
    high = np.inf if args.highest is None else args.highest
    band = forecast_each(model, data.codes, data.t, data.score, args.at, low=low, high=high)
    counts, first = data.counts, data.first_and_last()[0]
    rows: list[dict[str, Any]] = [
        {
            "client": label,
            "seen": int(counts[i]),
            "mean": float(band.mean[i, 0]),
            "sd": float(band.sd[i, 0]),
            "low80": float(band.low80[i, 0]),
            "high80": float(band.high80[i, 0]),
        }
        for i, label in enumerate(data.clients)
    ]
    if args.reliable_change is not None and better is not None:
        criteria = ChangeCriteria(
            better,
            args.reliable_change,
            rc_inclusive=True,
            lowest=args.lowest,
            highest=args.highest,
        )
        _add_probabilities(rows, band, first, criteria, step_of(data.score))
    if args.json:
        print("[\n" + ",\n".join(json.dumps(row, allow_nan=False) for row in rows) + "\n]")
        return 0
    print(f"score at session {args.at:g}: mean, 80 % band")
    for row in rows:
        print(
            f"{row['client']}  {row['mean']:.1f}  {row['low80']:.1f} to {row['high80']:.1f}"
            f"  (from {row['seen']} scores)"
        )
    print_notes(data)
    return 0


def _add_probabilities(
    rows: list[dict[str, Any]],
    band: Band,
    first: FloatArray,
    criteria: ChangeCriteria,
    step: float,
) -> None:
    """Add the probabilities of standing reliably better and worse at that session."""
    border = boundaries(first, criteria, step)
    better = band.beyond(border.improved[:, None], criteria.better)[:, 0]
    other: Better = "lower" if criteria.better == "higher" else "higher"
    worse = band.beyond(border.deteriorated[:, None], other)[:, 0]
    for i, row in enumerate(rows):
        # No attainable score would be reliably better: not applicable.
        row["p_improved"] = None if np.isnan(border.improved[i]) else float(better[i])
        row["p_deteriorated"] = 0.0 if np.isnan(border.deteriorated[i]) else float(worse[i])
