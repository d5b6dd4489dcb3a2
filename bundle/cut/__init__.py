"""Bytes to boundaries: where content is cut into chunks (spec chapter 11)."""
