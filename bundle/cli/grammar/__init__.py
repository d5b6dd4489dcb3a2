"""What every verb takes, one module for each group of verbs; imports none of them."""
