"""The statistical core from the command line: ``python -m measures_app.psychometrics``."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

# Before numpy is imported: on matrices as small as these the threads of the linear algebra
# library wait for one another longer than they work.
for _library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

from . import commands_backtest, commands_change, commands_model  # noqa: E402 - see above
from .files import FileProblem  # noqa: E402


def build_parser() -> argparse.ArgumentParser:
    """Command line of the core: one subcommand a task.

    Returns
    -------
    argparse.ArgumentParser
        Each subcommand sets ``run``, a function of the parsed arguments returning a status.
    """
    parser = argparse.ArgumentParser(
        prog="python -m measures_app.psychometrics",
        description="Change, effect sizes and expected change of any scores in long CSV form.",
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    commands_change.register(subparsers)
    commands_model.register(subparsers)
    commands_backtest.register(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str or None
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    int
        0, or 2 after one line on the error stream about a malformed file, or about an output
        that takes no more. 1 and not a word where whoever reads the output left.
    """
    args = build_parser().parse_args(argv)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except FileProblem as problem:
        print(problem, file=sys.stderr)
        return 2
    except OSError as problem:
        # What is still held back would be tried, and complained of, once more at the very end.
        sys.stdout = io.StringIO()
        if isinstance(problem, BrokenPipeError):
            return 1
        print(f"the output can't be written: {problem.strerror}".lower(), file=sys.stderr)
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main())
