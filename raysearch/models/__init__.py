"""Arrays to logits: torch only, one architecture a file, each with its own config."""
