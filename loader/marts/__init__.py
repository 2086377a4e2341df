"""The only reader of marts: each question one select, nothing computed here."""
