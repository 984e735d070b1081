"""Everything the user touches: the window, and the command line."""
