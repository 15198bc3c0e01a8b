"""Performance: ratios to a floor measured in the same run. Talks to loopback only, and stops by itself."""
