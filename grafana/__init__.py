"""Grafana dashboards as code: `python -m grafana.build_dashboards`."""
