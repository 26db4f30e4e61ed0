"""The durable store: SQL beside the function that uses it; every function takes a transaction."""
