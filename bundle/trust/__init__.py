"""Bytes in, trusted values out: keys, envelopes, roles and what a receiver accepts."""
