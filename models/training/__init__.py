"""How the bundled family's checkpoints are trained."""
