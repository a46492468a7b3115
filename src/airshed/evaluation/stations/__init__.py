"""Observations at stations: reading tables, believing or not, matching with the grid, scoring."""
