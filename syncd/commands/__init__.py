"""What each command of ``syncd`` does, one module for those that are alike."""
