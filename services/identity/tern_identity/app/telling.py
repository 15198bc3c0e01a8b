"""Explanations as answers: JSON, and the same in sentences, with values masked for those who may not see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from tern_common.auth import Caller
from tern_identity.app.words import IdentifierView, seen_by
from tern_identity.app.words import shown as shown_as
from tern_identity.domain import sentences
from tern_identity.domain.explaining import Refusal, said_by_operator, why
from tern_identity.domain.holding import NEVER, Claimed
from tern_identity.domain.ledger import Link
from tern_identity.store.explaining import Asked, BrowserMaterial, Material, Word


class StepView(BaseModel):
    """Two identifiers that were said to be one person's. `merge_id`: what a revert names, where it merged two
    customers. `event_id` and `source` are of the event that said it first; an operator's step has a control instead."""

    a: IdentifierView
    b: IdentifierView
    event_id: str | None
    source: str | None
    at: datetime | None
    merge_id: UUID | None
    control_id: int | None = None


class SharedView(BaseModel):
    """A value in quarantine."""

    identifier: IdentifierView
    guard: str


class RefusedView(BaseModel):
    """A pair that does not count, and the limit or word that it would break."""

    step: StepView
    namespace: str | None
    limit: int | None
    control_id: int | None


class PairView(BaseModel):
    """Whether two are one customer: `path` says why; `shared`, `revoked` and `refused` say why not."""

    one: bool
    path: list[StepView]
    shared: list[SharedView]
    revoked: list[StepView]
    refused: list[RefusedView]
    sentences: list[str]
    complete: bool = Field(description="False when so much hangs together that not all of it was read.")


class CustomerView(BaseModel):
    """What makes a customer: its identifiers, the pairs that joined them, and those that were refused."""

    identifiers: list[IdentifierView]
    joined: list[StepView]
    refused: list[RefusedView]
    sentences: list[str]
    complete: bool


class ClaimView(BaseModel):
    """Somebody used the browser. `rank` 1: signed in; 2: a trusted event named a contact. `ignored`: why it does not
    count."""

    identifier: IdentifierView
    rank: int
    day: str
    event_id: str
    source: str
    ignored: str | None


class BrowserView(BaseModel):
    """Whose a browser is; `shared_from`: the UTC day from which it is nobody's."""

    holder: IdentifierView | None
    shared_from: str | None
    nobodys: bool
    blocked: bool
    claims: list[ClaimView]
    sentences: list[str]


@dataclass(frozen=True)
class Teller:
    """Puts material into an answer, for one caller."""

    material: Material
    caller: Caller

    def pair(self, one: Asked, other: Asked) -> PairView:
        a, b = one.node_id, other.node_id
        verdict = why(self.material.case, a, b)
        reasons = verdict.why_not
        told = [sentences.tie(self._saying(link)) for link in verdict.path]
        told += [sentences.shared(self._name(node_id), guard) for node_id, guard in reasons.shared]
        told += [self._revoked(link) for link in reasons.revoked]
        told += [self._refused(refusal) for refusal in reasons.refused]
        if not told and not verdict.one:
            told = [sentences.nothing_ties(self._name(a), self._name(b)), *self._not_believed()]
        told += [
            sentences.era(self._name(asked.node_id), asked.from_day)
            for asked in (one, other)
            if asked.from_day is not None
        ]
        return PairView(
            one=verdict.one,
            path=[self._step(link) for link in verdict.path],
            shared=[SharedView(identifier=self._shown(node_id), guard=guard) for node_id, guard in reasons.shared],
            revoked=[self._step(link) for link in reasons.revoked],
            refused=[self._refused_view(refusal) for refusal in reasons.refused],
            sentences=told,
            complete=self.material.complete,
        )

    def _not_believed(self) -> list[str]:
        sources = self.material.case.rules.distrusted
        return [sentences.distrusted(sources)] if sources else []

    def customer(self, node_id: int) -> CustomerView:
        case = self.material.case
        core = [other for other, row in case.rows.items() if row.core == case.rows[node_id].core]
        joined = [link for link in case.joined() if link.a in core]
        refused = [one for one in case.refusals() if one.link.a in core or one.link.b in core]
        told = [sentences.tie(self._saying(link)) for link in joined]
        told += [self._refused(one) for one in refused]
        guard = case.rows[node_id].guard
        if guard is not None:
            told.append(sentences.shared(self._name(node_id), guard))
        return CustomerView(
            identifiers=[self._shown(other) for other in sorted(core)],
            joined=[self._step(link) for link in joined],
            refused=[self._refused_view(one) for one in refused],
            sentences=told or [f"{self._name(node_id)} is all there is of this customer."],
            complete=self.material.complete,
        )

    def _shown(self, node_id: int) -> IdentifierView:
        return seen_by(self.material.identifiers[node_id], self.caller)

    def _name(self, node_id: int) -> str:
        view = self._shown(node_id)
        return f"{view.namespace} {view.value}"

    def _saying(self, link: Link) -> sentences.Saying:
        source = self.material.sources.get(link, "")
        at = link.at.time.isoformat(timespec="seconds")
        names = self._name(link.a), self._name(link.b)
        return sentences.Saying(*names, at, link.at.event_id, source, said_by_operator(link))

    def _step(self, link: Link) -> StepView:
        by_hand = said_by_operator(link)
        return StepView(
            a=self._shown(link.a),
            b=self._shown(link.b),
            event_id=None if by_hand else link.at.event_id,
            source=self.material.sources.get(link),
            at=None if by_hand else link.at.time,
            merge_id=self.material.merges.get((link.a, link.b)),
            control_id=int(link.at.event_id) if by_hand else None,
        )

    def _word(self, word: str, a: int, b: int) -> Word | None:
        return next((one for one in self.material.words if one.word == word and {one.a, one.b} == {a, b}), None)

    def _revoked(self, link: Link) -> str:
        word = self._word("revoke", link.a, link.b)
        return sentences.revoked(self._saying(link), word and word.control_id, word.reason if word else "")

    def _refused(self, one: Refusal) -> str:
        said, breach = self._saying(one.link), one.breach
        if breach.namespace is not None:
            limit = self.material.case.rules.limit_of(breach.namespace)
            return sentences.refused_by_limit(said, breach.namespace, limit)
        word = self._word("cannot", *breach.apart) if breach.apart else None
        return sentences.refused_by_word(said, word and word.control_id, word.reason if word else "")

    def _refused_view(self, one: Refusal) -> RefusedView:
        breach = one.breach
        word = self._word("cannot", *breach.apart) if breach.apart else None
        return RefusedView(
            step=self._step(one.link),
            namespace=breach.namespace,
            limit=self.material.case.rules.limit_of(breach.namespace) if breach.namespace else None,
            control_id=word and word.control_id,
        )


def browser_view(material: BrowserMaterial, weak: int) -> BrowserView:
    """By a browser's id nobody's data is shown: a cookie can be forged (identity.md §12)."""
    why_so, names = material.browser, material.identifiers
    held = why_so.held

    def shown(node_id: int) -> IdentifierView:
        return shown_as(names[node_id], hide=True)

    def name(node_id: int) -> str:
        return f"{names[node_id].namespace} {shown(node_id).value}"

    def claim(one: Claimed) -> ClaimView:
        use = material.uses[one.strong, one.rank]
        day = sentences.day_text(one.day)
        return ClaimView(
            identifier=shown(one.strong),
            rank=one.rank,
            day=day,
            event_id=use.event_id,
            source=use.source,
            ignored=use.ignored,
        )

    used = bool(why_so.deciding or why_so.others)
    told = [
        *sentences.whose(name(weak), None if held.holder is None else name(held.holder), held.shared_from, used=used)
    ]
    if why_so.blocked:
        told.append(sentences.shared(name(weak), "blocked"))
    told += [_used(claim(one), name(one.strong), decides=True) for one in why_so.deciding]
    told += [_used(claim(one), name(one.strong), decides=False) for one in why_so.others]
    return BrowserView(
        holder=None if held.holder is None else shown(held.holder),
        shared_from=None if held.shared_from in (NEVER, -1) else sentences.day_text(held.shared_from),
        nobodys=held.holder is None and held.shared_from != NEVER,
        blocked=why_so.blocked,
        claims=[claim(one) for one in (*why_so.deciding, *why_so.others)],
        sentences=told,
    )


def _used(one: ClaimView, name: str, *, decides: bool) -> str:
    did = "signed in on it" if one.rank == 1 else "was named by a trusted event on it"
    said = f"{name} {did}, first on {one.day} (event {one.event_id} of {one.source})"
    if one.ignored:
        return f"{said}; that does not count: {sentences.GUARDS[one.ignored]}."
    return f"{said}." if decides else f"{said}; a sign-in goes before that."
