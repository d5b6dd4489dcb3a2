"""The bytes of the format: parse and serialise, side by side, without any I/O."""
