"""The gate: one verdict on a candidate, what the marts found held against a team's policy."""
