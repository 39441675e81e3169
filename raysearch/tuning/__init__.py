"""Which trial comes next, and which one pauses, stops or goes on."""
