"""A finished model in use: recordings to emotions, without Ray and without the search."""
