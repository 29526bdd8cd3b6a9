"""What training fetches: typefaces and photographed surfaces, and how they are chosen."""
