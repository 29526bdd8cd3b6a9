"""Where the readings go: projections of the ledger, each with its own idea of durable."""
