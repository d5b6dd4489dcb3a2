"""A bundle directory at rest: written once, read with suspicion."""
