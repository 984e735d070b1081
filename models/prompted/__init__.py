"""Painting with open checkpoints that are told in words what to paint."""
