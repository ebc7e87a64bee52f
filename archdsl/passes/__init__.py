"""Passes: a graph is checked again, counted, reported on."""
