"""Runs that leave in the forms of other tools; one module a form, and `runs` that reads them."""
