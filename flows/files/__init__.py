"""Files that others may put there, and files that must survive: names, links, fsync, leftovers."""
