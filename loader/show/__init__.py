"""What a person sees: tables, numbers and words, from rows that somebody else has read."""
