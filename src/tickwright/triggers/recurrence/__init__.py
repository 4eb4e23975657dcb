"""Recurrence rules (RFC 5545): read, stepped through in wall time or in UTC, put into words."""
