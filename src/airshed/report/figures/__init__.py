"""Figures of the report: each function gives a figure and the data that it shows."""
