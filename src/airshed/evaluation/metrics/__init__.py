"""What is computed from forecasts and truth: sums that can be gathered, and scores from them."""
