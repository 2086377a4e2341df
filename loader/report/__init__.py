"""The report: one self-contained page that shows what the marts say, and computes nothing."""
