"""Warm worker groups: each trains one trial after the other, without starting again."""
