"""Talks to container registries over HTTP: the distribution protocol, by aiohttp."""
