"""From volumes to verified content: what the unpacker's and verifier's workers do."""
