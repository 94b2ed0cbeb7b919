"""Science on tensors: graphs of crystals, models, training, transfer between databases, retraining."""
