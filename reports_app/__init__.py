"""Shown: pages, dashboards, reports, exports, paper. Its rows are derived."""
