"""The types everything else speaks of; standard library only."""
