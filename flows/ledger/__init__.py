"""The ledger: its file and schema, the log in it, and where each sink stands in that log."""
