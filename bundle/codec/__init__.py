"""Chunks to frames and back: how plain bytes are stored (spec chapter 10)."""
