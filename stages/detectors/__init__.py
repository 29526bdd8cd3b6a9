"""Engines that find lines of text in a frame."""
