"""Whole slides: what of them is judged, and where they show nothing."""
