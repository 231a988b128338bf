"""Measures of the app beside the simulated services: ratios of one run on one machine, for people to read."""
