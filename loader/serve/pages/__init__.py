"""A module for each part of the app; a page is a function of what was asked."""
