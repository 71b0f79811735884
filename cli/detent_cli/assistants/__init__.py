"""The assistants that detent is installed into: their configuration files, skills and rules."""
