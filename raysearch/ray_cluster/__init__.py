"""The Ray that a search runs on: its start, its nodes, and which search gets how much of them."""
