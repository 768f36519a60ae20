"""What others call things: units of bands, names of dimensions, grid mappings, packed values of CF files."""
