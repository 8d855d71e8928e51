"""What people and other services ask of the gate over HTTP."""
