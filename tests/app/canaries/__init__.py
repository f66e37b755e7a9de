"""Runs the deployed app with everything at DEBUG, and looks for its secrets in all that can be seen of it."""
