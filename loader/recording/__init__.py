"""Results recorded from running code: checked at once, delivered exactly once."""
