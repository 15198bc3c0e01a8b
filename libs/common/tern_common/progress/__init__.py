"""Safe time, one hop at a time: who proves what on `tern.progress.v1`, and who believes it (triggers.md §2).

A claim (service, lane, T, ends) says: all that follows from events of that lane acknowledged before T lies below `ends`
of these topics. Every claim is true by itself, so two claimers, none, or an old claim after a new one cannot hurt:
readers keep the latest T. The package knows offsets and clocks, and no event.

What a claim rests on, beside this package: a group commits an offset only when the outputs of all earlier records are
acknowledged (C1), and derives them again on redelivery (C2).
"""

from tern_common.progress.claiming import OUTAGE_S, claim_relay, claim_source
from tern_common.progress.claims import Claims, covered
from tern_common.progress.hop import Hop, Passage

__all__ = ["OUTAGE_S", "Claims", "Hop", "Passage", "claim_relay", "claim_source", "covered"]
