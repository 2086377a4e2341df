"""How many tasks and repetitions an evaluation needs, before it is run."""
