"""The napari plugin: gathers what the user wants, runs the pipeline, shows what came out; computes nothing itself."""
