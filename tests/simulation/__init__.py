"""The whole pipeline in one process and in virtual time: the services' own pure code and loops on a bus and on stores
that are played, with every fault a run can meet, from one seed.

A seed is a whole world: what people do, what the network does, who dies when. `make simulate ARGS=SEED` replays it.
"""
