"""Models on composition features: random forest and multilayer perceptron."""
