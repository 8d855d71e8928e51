"""What follows from facts, judgements and policy's answer. No I/O, no clock, no framework."""
