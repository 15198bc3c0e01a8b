"""Computed traits: declared by operators, folded from events, published with the moment since which they stand.

`declaring`: what may be written. `tally`: what is kept of events, as a fold. `history`: what a tally came to, and when.
"""
