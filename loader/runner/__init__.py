"""Run tasks through an agent or a model, time and score them, and record what came out."""
