"""Where results come from, and whether they are whole."""
