"""The JSON front door: one file per first word of the URL; a route parses, asks, renders."""
