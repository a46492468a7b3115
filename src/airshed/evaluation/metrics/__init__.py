"""What is computed from forecasts and observations: sums that can be gathered, scores from them."""
