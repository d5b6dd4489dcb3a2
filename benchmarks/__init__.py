"""Figures, as ratios within one run: `python -m benchmarks` (see README.md here)."""
