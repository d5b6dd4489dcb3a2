"""The daemon on the bastion: notices media, ingests, publishes, writes receipts."""
