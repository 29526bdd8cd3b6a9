"""Engines that read an upright crop of one line."""
