"""Figures for pages where people explore: Plotly, fed from the descriptions that SVG is drawn of.

Colours are left to the page's script, which reads them from the style sheet, so that a plot is at
home in light and dark. Without script the SVG stays, and the table is beside both.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from measures_app.charts import TrendFigure

# A trace and the axes without their numbers.
TRACES: dict[str, dict[str, Any]] = {
    "limit": {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"},
    "band": {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "fill": "tonexty"},
    "value": {
        "mode": "lines+markers",
        "connectgaps": False,
        "marker": {"size": 9},
        "hovertemplate": "%{x}: %{y:.1%} (%{customdata[0]} of %{customdata[1]})<extra></extra>",
    },
    "signal": {
        "mode": "markers",
        "marker": {"size": 16, "symbol": "square-open"},
        "hoverinfo": "skip",
    },
}
LAYOUT: dict[str, Any] = {
    "showlegend": False,
    "height": 260,
    "margin": {"l": 52, "r": 12, "t": 8, "b": 30},
    "dragmode": "zoom",
    "hovermode": "closest",
    "yaxis": {"tickformat": ".0%", "fixedrange": True},
    "xaxis": {"type": "category", "nticks": 8, "tickangle": 0},
}


@lru_cache(maxsize=1)
def _drawn() -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """What is the same in each figure, checked by the library once a process.

    Checking each figure of each page cost as much as the rest of the page.
    """
    # Half a second of import that no other page has to pay.
    import plotly.graph_objects as go

    traces = {
        name: go.Scatter(meta=name, **style).to_plotly_json() for name, style in TRACES.items()
    }
    return traces, go.Layout(**LAYOUT).to_plotly_json()


def trend_plot(figure: TrendFigure) -> dict[str, Any]:
    """A trend as Plotly's JSON: traces named for their role, sizes and axes, no colour."""
    drawn, layout = _drawn()
    points = figure.points
    labels = [point.label for point in points]
    traces: list[dict[str, Any]] = []
    if any(point.high is not None for point in points):
        traces += [
            {**drawn["limit"], "x": labels, "y": [point.low for point in points]},
            {**drawn["band"], "x": labels, "y": [point.high for point in points]},
        ]
    symbols = ["circle-open" if point.hollow else "circle" for point in points]
    traces.append(
        {
            **drawn["value"],
            "x": labels,
            "y": [point.value for point in points],
            "customdata": [[point.cases, point.n] for point in points],
            "marker": {**drawn["value"]["marker"], "symbol": symbols},
        }
    )
    signals = [point for point in points if point.signal]
    if signals:
        traces.append(
            {
                **drawn["signal"],
                "x": [point.label for point in signals],
                "y": [point.value for point in signals],
            }
        )
    layout = {**layout, "yaxis": {**layout["yaxis"], "range": [0, figure.highest]}}
    if figure.centre is not None:
        layout["shapes"] = [
            {
                "type": "line", "line": {"dash": "dash", "width": 1.2},
                "x0": 0, "x1": 1, "xref": "x domain",
                "y0": figure.centre, "y1": figure.centre, "yref": "y",
            }
        ]  # fmt: skip
    return {"data": traces, "layout": layout}
