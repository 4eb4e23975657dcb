"""Ways for runs to reach workers, by name."""

MEMBERS = {"database": "tickwright.dispatch.database:DatabaseDispatcher"}
