"""What should happen, when, and why not: pure functions of sets of facts and decisions.

Reads no clock, no database and no bus; every value here is the same for any arrival order of the same events.
"""
