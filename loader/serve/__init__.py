"""A local web app to look at the marts: pages with permanent addresses that change nothing."""
