"""From files to frames: what the packer's workers do."""
