"""Who is it: the rules of identity.md as pure functions. Values in, decisions out; no clock, no I/O, no logging."""
