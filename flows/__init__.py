"""When, in which order, and every contact with the world: one controller process.

Start with `watch.py`, then `stages/records.py`.
"""
