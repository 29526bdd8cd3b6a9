"""A recipe, proposed from a few pictures: trials, their scores, and the search among them."""
