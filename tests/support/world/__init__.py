"""A world with known truth: people, what they have, what is said of them to a shop. Knows nothing of how Tern joins.

Pure but for `sending` and `asking`: a seed, a size and a moment give the same world. Figures and their sources stand in
`shares` and in docs/realistic-data.md.
"""
