"""How long an update takes to reach those who follow it."""
