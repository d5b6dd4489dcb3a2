"""Carry models and images across an air gap in signed, self-checking bundles."""

__version__ = "0.1.0"
