"""Paired comparison of variants with their references."""
