"""Integrity of results: atomic writing, checksums, format versions, provenance."""
