"""Figures: described once, drawn as SVG on the server, the same on screen and paper.

`figures` says what a figure shows (and is its table); the other modules draw. Plotly, for staff
pages where people explore, is fed from the same descriptions in reports_app.
"""

from measures_app.charts.calibration import SaidAndSeen, calibration_svg
from measures_app.charts.course import course_both, course_svg
from measures_app.charts.figures import CourseFigure, Event, describe, figure_table
from measures_app.charts.funnel import FunnelFigure, FunnelPoint, funnel_charts
from measures_app.charts.rates import IntervalRow, interval_charts, interval_svg
from measures_app.charts.remaining import (
    RemainingFigure,
    RemainingPoint,
    remaining_charts,
    remaining_svg,
)
from measures_app.charts.spark import sparkline_svg
from measures_app.charts.svg import number
from measures_app.charts.trend import TrendFigure, TrendPoint, trend_svg

__all__ = [
    "CourseFigure",
    "Event",
    "FunnelFigure",
    "FunnelPoint",
    "IntervalRow",
    "RemainingFigure",
    "RemainingPoint",
    "SaidAndSeen",
    "TrendFigure",
    "TrendPoint",
    "calibration_svg",
    "course_both",
    "course_svg",
    "describe",
    "figure_table",
    "funnel_charts",
    "interval_charts",
    "interval_svg",
    "number",
    "remaining_charts",
    "remaining_svg",
    "sparkline_svg",
    "trend_svg",
]
