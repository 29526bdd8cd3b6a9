"""What happens to one picture: pure functions on immutable records, run on Dask workers.

Start with `records.py` (the nouns), then read the stages in the order in which
`flows/graph.py` runs them: decode, preprocess, detect, recognise, map.
Nothing here reads a clock, the environment or the network, and nothing imports `flows`.
"""
