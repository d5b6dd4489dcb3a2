"""What a receiver and a sender remember between runs, in files of their own."""
