"""How anything is configured: strict, typed, immutable."""
