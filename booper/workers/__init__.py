"""The cast: actors and workers of the tree. Thin shells; decisions come from `domain`."""
