"""Threads in order: turnstiles between steps, and the crew that passes them."""
