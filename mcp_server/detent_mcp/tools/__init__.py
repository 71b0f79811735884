"""The tools, a noun to a file."""
