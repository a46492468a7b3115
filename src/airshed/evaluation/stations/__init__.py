"""Observations at stations: reading tables, quality control, matching with the grid, scoring."""
