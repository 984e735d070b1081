"""Where training data comes from besides the synthetic source: datasets on disk, traces, recordings of any program."""
