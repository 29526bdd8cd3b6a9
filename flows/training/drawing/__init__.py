"""From a text to a strip: the ink of a mark and what stands around it."""
