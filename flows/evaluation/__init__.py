"""How well marks are read: labelled pictures in, scores, intervals and calibration out."""
