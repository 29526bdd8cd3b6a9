"""From a strip to a marked surface under some light."""
