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
    plot = go.Figure()
    if any(point.high is not None for point in figure.points):
        edges = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        plot.add_scatter(x=labels, y=[p.low for p in figure.points], meta="limit", **edges)
        plot.add_scatter(
            x=labels, y=[p.high for p in figure.points], meta="band", fill="tonexty", **edges
        )
    plot.add_scatter(
        x=labels,
        y=[point.value for point in figure.points],
        customdata=[[point.cases, point.n] for point in figure.points],
        meta="value",
        mode="lines+markers",
        connectgaps=False,
        marker={
            "size": 9,
            "symbol": ["circle-open" if point.hollow else "circle" for point in figure.points],
        },
        hovertemplate="%{x}: %{y:.1%} (%{customdata[0]} of %{customdata[1]})<extra></extra>",
    )
    signals = [point for point in figure.points if point.signal]
    if signals:
        plot.add_scatter(
            x=[point.label for point in signals],
            y=[point.value for point in signals],
            meta="signal",
            mode="markers",
            marker={"size": 16, "symbol": "square-open"},
            hoverinfo="skip",
        )
    if figure.centre is not None:
        plot.add_hline(y=figure.centre, line_dash="dash", line_width=1.2)
    plot.update_layout(
        template=None,
        showlegend=False,
        height=260,
        margin={"l": 52, "r": 12, "t": 8, "b": 30},
        dragmode="zoom",
        hovermode="closest",
        yaxis={"range": [0, figure.highest], "tickformat": ".0%", "fixedrange": True},
        xaxis={"type": "category", "nticks": 8},
    )
    described: dict[str, Any] = json.loads(plot.to_json())
    return described
