"""Sparkplug B 3.0: the encoding, the edge node's state, and its session with a broker."""
