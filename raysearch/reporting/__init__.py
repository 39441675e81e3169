"""Reads run folders and the ledger, draws and tells; no Ray, no search."""
