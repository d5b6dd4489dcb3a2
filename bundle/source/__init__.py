"""Where artifacts come from: caches of models and directory trees."""
