"""What others ask of a running `watch`: an HTTP API, and a line protocol for PLCs and cameras.

`serving` runs both on one thread beside the flow. `desk` is the one place that puts pictures into
an inbox and waits for what they say; `shelf` reads the ledger; `api` has the routes, `guard` the
limits before them; `trigger` is the line protocol. Nothing here reads a picture or writes a row.
"""
