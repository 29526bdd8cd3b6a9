"""What a person runs: the bodies of the commands, and the flags of some (`cli_...`)."""
