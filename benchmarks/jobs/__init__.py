"""The jobs of each peer, in modules that its worker processes import."""
