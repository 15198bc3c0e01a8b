"""Who is it: one customer for many identifiers, provably."""
