"""What a model says of materials, how sure it is, and whether it has seen their like."""
