"""The daemon's HTTP: a JSON API, metrics, and the page for people."""
