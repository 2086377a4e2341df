"""A pipeline's evaluation: where it runs, what it is compared with, and what it leaves behind."""
