"""The schema `triggers` (triggers.md §7). What a row means stands in `domain`; this says only how it is kept."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)

SCHEMA = "triggers"
metadata = MetaData(schema=SCHEMA)


def _time(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


agenda = Table(
    "agenda",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    _time("next_live"),
    _time("next_all"),
    _time("oldest_at"),
    _time("newest_at"),
    Index("agenda_next_live", "next_live", postgresql_where=text("next_live IS NOT NULL")),
    Index("agenda_next_all", "next_all", postgresql_where=text("next_all IS NOT NULL")),
    comment="One row a customer: its lock, the next moments to look at it, and the span of its facts.",
)

membership = Table(
    "membership",
    metadata,
    Column("home_id", Uuid, primary_key=True),
    Column("customer_id", Uuid),
    Column("version", BigInteger, nullable=False),
    Column("shared", Boolean, nullable=False),
    Index("membership_customer", "customer_id"),
    comment="Whose a home is; the highest version wins. Nobody's: erased, for good.",
)

former = Table(
    "former",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    Column("into_id", Uuid),
    Column("version", BigInteger, nullable=False),
    Index("former_into", "into_id"),
    comment="Where a customer's homes last went (nowhere: erased); counts only while it has none.",
)

fact = Table(
    "fact",
    metadata,
    Column("home_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    _time("at", nullable=False),
    Column("passive", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    comment="What one event says that a live rule reads. A set: of copies the least (at, passive, body) stays.",
)

cart_key = Table(
    "cart_key",
    metadata,
    Column("cart_id", Text, primary_key=True),
    _time("newest_at"),
    Column("newest_message", Text),
    Column("newest_home", Uuid),
    _time("order_at"),
    Column("order_message", Text),
    comment="Over all customers: a cart's newest event and the newest order that names it. Maxima.",
)

_OPEN = "outcome = 'fired' AND retracted_at IS NULL"

decision = Table(
    "decision",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("trigger_id", Uuid, nullable=False),
    Column("rule", Text, nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("key", Text, nullable=False),
    Column("step", SmallInteger, nullable=False),
    Column("home_id", Uuid, nullable=False),
    Column("customer_id", Uuid, nullable=False),
    Column("cycle_ref", Text, nullable=False),
    _time("started", nullable=False),
    _time("anchor", nullable=False),
    _time("due", nullable=False),
    _time("round", nullable=False),
    _time("expires", nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text),
    _time("decided_at", nullable=False),
    Column("facts", LargeBinary, nullable=False),
    _time("retracted_at"),
    _time("cancelled_at"),
    Column("about", Text, nullable=False, server_default=""),
    Column("act", Text, nullable=False, server_default="contact"),
    Column("mode", Text, nullable=False, server_default="live"),
    Column("channels", ARRAY(Text), nullable=False, server_default="{}"),
    Column("category", Text),
    _time("released_at"),
    Index(
        "decision_trigger_once",
        "trigger_id",
        unique=True,
        postgresql_where=text("outcome IN ('fired', 'held_out', 'withdrawn')"),
    ),
    Index("decision_home", "home_id", "round"),
    Index("decision_rule_key", "rule", "key"),
    Index("decision_decided", "decided_at"),
    Index("decision_open_home", "home_id", "expires", postgresql_where=text(_OPEN)),
    Index("decision_open_key", "key", "expires", postgresql_where=text(f"{_OPEN} AND key <> ''")),
    comment="What was decided, once, for (rule, key, cycle, step); notes of cycles that ended undecided.",
)

deferral = Table(
    "deferral",
    metadata,
    Column("home_id", Uuid, primary_key=True),
    Column("trigger_id", Uuid, primary_key=True),
    Column("rule", Text, nullable=False),
    _time("until", nullable=False),
    Column("why", Text, nullable=False),
    _time("enrolled"),
    comment="A step that has to wait: at `until` everything about it is checked again.",
)

arm = Table(
    "arm",
    metadata,
    Column("home_id", Uuid, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("treated", Boolean, nullable=False),
    comment="Sides of a hold-out, frozen at the first evaluation. Any treated home wins.",
)

outcome = Table(
    "outcome",
    metadata,
    Column("trigger_id", Uuid, primary_key=True),
    Column("status", Text, primary_key=True),
    Column("home_id", Uuid, nullable=False),
    Column("channel", Text, nullable=False),
    _time("at", nullable=False),
    Index("outcome_home", "home_id"),
    comment="What marketing systems report about a trigger; of copies the earliest stays.",
)

hold = Table(
    "hold",
    metadata,
    Column("hold_id", Uuid, primary_key=True),
    Column("trigger_id", Uuid, nullable=False),
    Column("home_id", Uuid, nullable=False),
    Column("customer_id", Uuid, nullable=False),
    Column("cart_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    _time("until"),
    _time("asked_at", nullable=False),
    Index("hold_trigger", "trigger_id"),
    Index("hold_home", "home_id"),
    comment="Stock that the shop was asked to hold for a reminder, and what it said.",
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("trigger_id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    _time("attempted_at"),
    _time("lease"),
    _time("checked_at"),
    Column("lane", Text, nullable=False, server_default="all"),
    Index("outbox_trigger", "trigger_id", "seq"),
    comment="To be published. created_at, attempted_at and lease are real time, checked_at is domain time.",
)

profile_copy = Table(
    "profile_copy",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    Column("rev", BigInteger, nullable=False),
    Column("merged_into", Uuid),
    Column("verdicts", LargeBinary, nullable=False),
    _time("merged_at"),
    Index("profile_copy_merged", "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
    comment="What a decision needs of a profile. The highest rev wins; verdicts of before a merge, without contact "
    "points, count until safe time passes merged_at.",
)

position = Table(
    "position",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next", BigInteger, nullable=False),
    comment="Everything below `next` is in this database: written in the transaction that applied it.",
)

safe_time = Table(
    "safe_time",
    metadata,
    Column("lane", Text, primary_key=True),
    _time("at", nullable=False),
    comment="Everything acknowledged before `at` is in this database. Only ever grows.",
)

rule = Table(
    "rule",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("mode", Text, nullable=False),
    _time("since", nullable=False),
    Column("current", Boolean, nullable=False),
    Index("rule_current", "name", unique=True, postgresql_where=text("current")),
    comment="Every version of every rule; one of each is current. `since`: since when it decides in its mode.",
)

rule_audit = Table(
    "rule_audit",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("act", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _time("at", nullable=False),
    Index("rule_audit_name", "name", "seq"),
    comment="Who changed a rule, when and why.",
)

rule_plan = Table(
    "rule_plan",
    metadata,
    Column("name", Text, primary_key=True),
    Column("homes_after", Uuid),
    Column("customers_after", Uuid),
    comment="Rules that changed, and how far those whom they concern have been planned a look for.",
)

ruleset = Table(
    "ruleset",
    metadata,
    Column("name", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("revision", BigInteger, nullable=False, server_default="0"),
    comment="The rules and numbers that the agenda was planned with.",
)
