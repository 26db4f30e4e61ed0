"""The product's nouns and decisions: values, state machines as tables, pure functions.

No clock, no dice, no I/O."""
