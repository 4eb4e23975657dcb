"""What makes runs happen: pure decisions, and thin loops with a `tick`."""
