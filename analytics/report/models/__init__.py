"""What the report says of models: transfer, learning, errors, calibration, cards."""
