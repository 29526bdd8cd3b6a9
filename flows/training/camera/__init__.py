"""From a marked surface to what a camera and a recipe make of it."""
