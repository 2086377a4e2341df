"""The marts for Prometheus: as a file, or over HTTP until stopped."""
