"""Where the graph runs, and what becomes of a process that a picture brings down."""
