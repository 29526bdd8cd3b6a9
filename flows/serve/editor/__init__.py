"""The recipe editor's side of the station: drafts tried out beside the flow, and saved whole."""
