"""Trained networks with something changed: the fields that they read, or the strength of a bias."""
