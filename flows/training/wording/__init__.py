"""What marks say: texts from formats, from words and at random."""
