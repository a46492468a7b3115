"""Other people's forecasts: reading, units, the study grid, and scores on the same samples."""
