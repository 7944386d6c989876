"""Generative adversarial networks: their architectures, training, evaluation and weights files."""
