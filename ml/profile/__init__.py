"""What a training step costs, in time, memory, hours and money."""
