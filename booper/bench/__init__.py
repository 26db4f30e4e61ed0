"""What things cost, measured beside what they replace."""
