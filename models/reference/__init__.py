"""Painting with open checkpoints that edit by reference pictures, through their stock pipelines."""
