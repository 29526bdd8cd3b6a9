"""Training the embedded TrOCR on marks that this project renders itself."""
