"""From image values to endmembers: the scene fit, the stain fit and the lambda-stack fit."""
