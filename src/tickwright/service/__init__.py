"""What people may ask for: `Scheduler`, its options, and its synchronous front."""
