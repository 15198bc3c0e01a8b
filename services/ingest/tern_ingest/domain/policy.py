"""The product numbers of ingest: the shape of `policy.yaml`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tern_common.policy import Policy as VersionedPolicy

KEYS_EFFECTIVE_WITHIN_S = 10.0


class Limits(BaseModel):
    """How large a request may be. An event beyond its limits is rejected; a body beyond its own is refused (413)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    body_bytes: Annotated[int, Field(gt=0, le=8 * 1024 * 1024)]
    """Of one body, after decompression. At most what a record of the rejected topic can hold."""
    event_bytes: Annotated[int, Field(gt=0, le=128 * 1024)]
    """Of one event, as sent. Mended, it may be five times as long, and must still fit a record."""
    event_depth: Annotated[int, Field(gt=1, le=200)]
    """Of objects and arrays within each other in one event; every reader's JSON parser must be able to follow."""
    batch_events: Annotated[int, Field(gt=0)]
    """Of one request: a body of empty events must not become millions of records."""
    kept_bytes: Annotated[int, Field(ge=0, le=8 * 1024 * 1024)]
    """Of a body that is no tracking request: it goes to the rejected topic whole. A longer one is only counted."""
    in_flight_bytes: Annotated[int, Field(gt=0)]
    """Of all bodies that are being worked on by one process; beyond it callers are told to come back."""


class Waits(BaseModel):
    """How long callers wait, in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kafka_s: Annotated[float, Field(gt=0, lt=2)]
    """For Kafka's acknowledgement before the answer is 503."""
    keys_s: Annotated[float, Field(gt=0, lt=2)]
    """For the database, when a key is not in memory, before the answer is 503."""
    body_s: Annotated[float, Field(gt=0)]
    """For the rest of a body, once its first piece has arrived."""
    retry_after_s: Annotated[int, Field(ge=1)]
    """What a 503 tells the caller to wait."""


class Keys(BaseModel):
    """How write keys are kept in memory, in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    refresh_s: Annotated[float, Field(gt=0, lt=KEYS_EFFECTIVE_WITHIN_S)]
    """Between two reads of all keys: a revocation takes effect within this and the time of one read."""
    unknown_refresh_s: Annotated[float, Field(gt=0)]
    """The least time between two reads that are caused by unknown keys."""
    waiting: Annotated[int, Field(gt=0)]
    """Requests with unknown keys that may wait for such a read; more are told to come back."""
    stale_s: Annotated[float, Field(gt=0)]
    """How long known keys stay good while the database is away; afterwards every caller is answered 503."""


class Rates(BaseModel):
    """How often callers may call. Each process counts for itself; a source may have rates of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    server_events_per_s: Annotated[float, Field(gt=0)]
    """Of one server key, on the long run."""
    browser_events_per_s: Annotated[float, Field(gt=0)]
    """Of one browser key, which anybody can use: what a stranger with it can do to the shop."""
    failures_per_s: Annotated[float, Field(gt=0)]
    """Refused requests of one address before all that it sends without a good key is put off, unread."""
    long_failures_per_s: Annotated[float, Field(gt=0)]
    """Bodies above 64 KiB of one address of which nothing could be taken, before others are put off, still packed."""
    burst_s: Annotated[float, Field(gt=0)]
    """So many seconds' worth may come at once."""
    addresses: Annotated[int, Field(gt=0)]
    """Failing addresses that are remembered. More forget the one that has not failed for longest."""


class Imports(BaseModel):
    """How history is brought in: so that no file, however long, costs the live lane more than a little."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_once: Annotated[int, Field(gt=0)]
    """Imports that one process works on; more are told to come back."""
    line_bytes: Annotated[int, Field(gt=0, le=8 * 1024 * 1024)]
    """Kept of one line for the rejected topic; a longer one is cut there."""
    batch_lines: Annotated[int, Field(gt=0)]
    batch_bytes: Annotated[int, Field(gt=0)]
    """Of lines that are sent together. The next ones are read when Kafka has these."""
    kafka_s: Annotated[float, Field(gt=0)]
    """For Kafka to come back, before the import ends with 503."""
    piece_s: Annotated[float, Field(gt=0)]
    """For the next piece of a body."""
    progress_s: Annotated[float, Field(gt=0)]
    """Between two records of progress at first; later a fiftieth of the time gone by, so that they stay few."""
    samples: Annotated[int, Field(ge=0)]
    """Lines that a report names of each reason."""


class Counting(BaseModel):
    """How the quality of what sources send is counted, by each process for itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_s: Annotated[float, Field(gt=0)]
    """Between two writes to the database: what a killed process may not have counted."""
    sample: Annotated[int, Field(ge=0)]
    """Events whose properties are looked at in that time; they are held as long."""
    sample_of_source: Annotated[int, Field(ge=0)]
    """Of these, of one source: the first ones."""
    names_in_memory: Annotated[int, Field(gt=0)]
    """Names of a source that are told apart in that time, known ones too."""
    unknown_names: Annotated[int, Field(gt=0)]
    """Names of unknown events that are told apart for a source and day, over all processes."""
    days: Annotated[int, Field(gt=0)]
    """How long the numbers are kept."""


class Policy(VersionedPolicy):
    """All of `policy.yaml`."""

    limits: Limits
    waits: Waits
    keys: Keys
    rates: Rates
    counting: Counting
    imports: Imports
