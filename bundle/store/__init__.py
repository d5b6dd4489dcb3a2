"""Chunks, recipes and releases at rest."""
