"""What the net, its search space and the judge have agreed upon."""

__all__ = ["EPOCHS", "REFUSED", "SAYS"]

# Of a whole trial, as space.yaml has it.
EPOCHS = 12
# The dropout that the net refuses, and what it says then.
REFUSED, SAYS = 0.5, "this net refuses that dropout"
