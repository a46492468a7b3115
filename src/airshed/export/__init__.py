"""A finished study as one file that others can read, check and cite."""
