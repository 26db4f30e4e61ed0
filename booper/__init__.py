"""Booper: one endpoint for every push provider, on a supervised actor runtime.

The house is drawn in README.md.
"""
