"""How things travel: what a service needs to hear, tell, store and be called; no domain word."""
