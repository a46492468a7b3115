"""What depends on what: products, the settings and files that shape them, and their identities.

The workflow reads this package while Snakemake parses, so nothing heavy is imported by it.
"""
