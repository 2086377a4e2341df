"""The only writer of raw results: one load is one transaction, whole or not at all."""
