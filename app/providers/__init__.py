"""How we reach what is outside: addresses, the egress guard, and external secret managers."""
