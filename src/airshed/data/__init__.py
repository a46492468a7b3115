"""From raw archives to samples: reading, regridding, statistics, datasets."""
