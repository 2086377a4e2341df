"""Which runs people should look at, to know how far a judge can be trusted."""
