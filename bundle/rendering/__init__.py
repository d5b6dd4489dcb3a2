"""What a cluster needs besides: where images are now, and how models are mounted."""
