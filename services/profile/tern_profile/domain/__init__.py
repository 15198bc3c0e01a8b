"""What the profile service knows about customers, as pure values: no clock, no I/O, no logging.

`reading` turns an event into a fragment; `fragment` folds fragments; `plan` sorts a batch; `profile` and `record` say
what a fold means, in full and in public.
"""
