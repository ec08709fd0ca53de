"""Figures for pages where people explore: Plotly, fed from the descriptions that SVG is drawn of.

Colours are left to the page's script, which reads them from the style sheet, so that a plot is at
home in light and dark. Without script the SVG stays, and the table is beside both.
"""

from __future__ import annotations

import json
from typing import Any

from measures_app.charts import TrendFigure


def trend_plot(figure: TrendFigure) -> dict[str, Any]:
    """A trend as Plotly's JSON: traces named for their role, sizes and axes, no colour."""
    # Half a second of import that no other page has to pay.
    import plotly.graph_objects as go

    labels = [point.label for point in figure.points]
    traces: list[dict[str, Any]] = []
    if any(point.high is not None for point in figure.points):
        edge = {
            "type": "scatter", "x": labels, "mode": "lines", "line": {"width": 0},
            "hoverinfo": "skip",
        }  # fmt: skip
        traces += [
            {**edge, "y": [p.low for p in figure.points], "meta": "limit"},
            {**edge, "y": [p.high for p in figure.points], "meta": "band", "fill": "tonexty"},
        ]
    traces.append(
        {
            "type": "scatter",
            "x": labels,
            "y": [point.value for point in figure.points],
            "customdata": [[point.cases, point.n] for point in figure.points],
            "meta": "value",
            "mode": "lines+markers",
            "connectgaps": False,
            "marker": {
                "size": 9,
                "symbol": ["circle-open" if point.hollow else "circle" for point in figure.points],
            },
            "hovertemplate": "%{x}: %{y:.1%} (%{customdata[0]} of %{customdata[1]})<extra></extra>",
        }
    )
    signals = [point for point in figure.points if point.signal]
    if signals:
        traces.append(
            {
                "type": "scatter",
                "x": [point.label for point in signals],
                "y": [point.value for point in signals],
                "meta": "signal",
                "mode": "markers",
                "marker": {"size": 16, "symbol": "square-open"},
                "hoverinfo": "skip",
            }
        )
    layout: dict[str, Any] = {
        "showlegend": False,
        "height": 260,
        "margin": {"l": 52, "r": 12, "t": 8, "b": 30},
        "dragmode": "zoom",
        "hovermode": "closest",
        "yaxis": {"range": [0, figure.highest], "tickformat": ".0%", "fixedrange": True},
        "xaxis": {"type": "category", "nticks": 8},
    }
    if figure.centre is not None:
        layout["shapes"] = [
            {
                "type": "line", "line": {"dash": "dash", "width": 1.2},
                "x0": 0, "x1": 1, "xref": "x domain",
                "y0": figure.centre, "y1": figure.centre, "yref": "y",
            }
        ]  # fmt: skip
    # Described at once and checked once: each `add_...` and `update_layout` checks anew.
    plot = go.Figure(data=traces, layout=layout)
    plot.layout.template = None  # a new figure takes the library's own, with its colours
    described: dict[str, Any] = json.loads(plot.to_json())
    return described
