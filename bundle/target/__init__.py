"""Where artifacts are published: what is missing there, and how it appears."""
