"""All seeds of a variant taken together."""
