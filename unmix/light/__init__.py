"""From recorded values to values that add up."""
