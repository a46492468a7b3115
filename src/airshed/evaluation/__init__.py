"""Scoring of forecasts, trained or not, on the test split."""
