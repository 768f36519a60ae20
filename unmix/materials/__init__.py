"""What the pure things are called: named stains and spectral libraries."""
