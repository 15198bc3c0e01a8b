"""`make chaos`: the real platform under traffic, with every process killed at random and where it hurts most.

A shop sends through the HTTP door while services, broker and database are killed with -9, at random moments and at
failpoints. Then everything may come to rest, and the result is compared with an oracle (`unit.triggers.oracle`) that
knows all acknowledged events. Nothing else is taken on trust: what happened is read from Kafka, the database and HTTP.

What equality means. A decision of round ρ = due + grace, rounded up, is bound by all events that were acknowledged
before ρ (G5). An event that came later may or may not be in the state that decided: it can be heeded, never ignored
(triggers.md §10). So every (household, rule) is of one of two classes:

- *bound*: no event that matters to the rule was under way between ρ and the moment at which the database had certainly
  taken the decision, for any decision that the oracle takes knowing what was acknowledged, or what was sent, by then.
  Its decisions must equal the oracle's exactly: names, steps, anchors, due times, outcomes, and no other.
- *open*: the rest. Which side they fall on depends on milliseconds.

Of both classes every decision must be explained: there is a set of events between those that bind it and those that
were sent before it with which the oracle, after the decisions before, takes just this one; at rest, nothing that is due
is left undecided; and what is known at the end to have been refuted before it fired is taken back once, after it, what
ended later is cancelled once, and nothing else is revoked.

Beyond decisions: every acknowledged event is stored once and counted once, who is one customer is exactly who was
linked, and on Kafka all copies of one id are equal.
"""
