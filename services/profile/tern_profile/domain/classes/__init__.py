"""Classes: conditions over a customer's record that operators declare, and since when each holds.

`conditions`: what may be written. `timeline`: truths through time, and how they join. `holding`: what holds of whom.
"""
