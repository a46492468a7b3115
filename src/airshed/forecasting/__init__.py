"""After the study: forecasts of trained networks for fields of any hour."""
