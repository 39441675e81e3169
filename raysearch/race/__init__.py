"""Several systems on one budget: which is best for these data?"""
