"""The whole pipeline in one process and in virtual time: the services' own pure code and loops on a bus and on stores
that are played, with every fault a run can meet, from one seed.

A seed is a whole world: what people do, what an import brings of them meanwhile, what the network does, who dies when,
how often anybody may be contacted, and when it is night. `make simulate ARGS=SEED` replays it.

Each decision is held against the oracle of `unit.triggers`, which knows no history that is taken up, no shadows and no
arbiter: so rules are played with `history: ignore`, and caps and nights are held against plain arithmetic
(`expecting`). Topics do not grow here, and no day ends: growth and dates have tests of their own.
"""
