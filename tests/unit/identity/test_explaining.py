"""Why two are one customer, or not: every obstacle by its name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from tern_common.identifiers import Kind
from tern_identity.domain import sentences
from tern_identity.domain.explaining import Case, path_between, said_by_operator, why, why_held
from tern_identity.domain.holding import NEVER, Claimed
from tern_identity.domain.ledger import At, Link, Node
from tern_identity.domain.regrouping import Strong, regroup
from tern_identity.domain.rules import Breach, Guard, breach_of
from tern_identity.domain.rulings import SILENCE, Ruling, Rulings, rulings_of
from unit.identity.histories import SHIPPED, START

KINDS: dict[str, tuple[str, Kind]] = {"u": ("user_id", "unique"), "p": ("phone", "strong"), "e": ("email", "strong")}
ANN, BOB, PHONE, MAIL, OTHER = 1, 2, 3, 4, 5
NODES = {
    number: Node(number, *KINDS[letter], bytes([number]))
    for number, letter in ((ANN, "u"), (BOB, "u"), (PHONE, "p"), (MAIL, "e"), (OTHER, "e"))
}


def link(hour: int, a: int, b: int) -> Link:
    return Link(At(START + timedelta(hours=hour), f"m-{hour}", 0), a, b)


def case(links: list[Link], words: Iterable[Ruling] = (), guards: dict[int, Guard] | None = None) -> Case:
    rulings: Rulings = rulings_of(words)
    before = {number: Strong(node, number, number, (guards or {}).get(number)) for number, node in NODES.items()}
    return Case(regroup(before, links, SHIPPED, rulings).after, links, SHIPPED, rulings)


def test_one_customer_is_explained_by_the_path_of_pairs() -> None:
    direct, onwards = link(1, ANN, PHONE), link(2, PHONE, MAIL)
    verdict = why(case([onwards, direct, link(3, ANN, MAIL)]), ANN, MAIL)
    assert verdict.one
    assert list(verdict.path) == [direct, onwards]


def test_two_members_who_share_a_phone_are_told_which_pair_was_refused_and_by_which_limit() -> None:
    late = link(5, BOB, PHONE)
    verdict = why(case([link(1, ANN, PHONE), late]), ANN, BOB)
    assert not verdict.one
    (refusal,) = verdict.why_not.refused
    assert refusal.link == late
    assert refusal.breach == Breach("user_id")


def test_what_an_operator_took_back_and_keeps_apart_is_named() -> None:
    pair = link(1, ANN, PHONE)
    words = [Ruling(7, "revoke", ANN, PHONE), Ruling(7, "cannot", ANN, PHONE)]
    verdict = why(case([pair], words), ANN, PHONE)
    assert list(verdict.why_not.revoked) == [pair]

    around = [link(1, ANN, MAIL), link(2, MAIL, PHONE)]
    kept = why(case(around, words[1:]), ANN, PHONE)
    (refusal,) = kept.why_not.refused
    assert refusal.breach == Breach(None, (ANN, PHONE))


def test_a_shared_value_on_the_way_is_named() -> None:
    verdict = why(case([link(1, ANN, PHONE), link(2, PHONE, MAIL)], guards={PHONE: "partners"}), ANN, MAIL)
    assert [one.node_id for one in verdict.why_not.shared] == [PHONE]


def test_where_nothing_ties_two_there_is_no_obstacle() -> None:
    nothing = why(case([link(1, ANN, PHONE)]), ANN, OTHER).why_not
    assert [*nothing.shared, *nothing.revoked, *nothing.refused] == []


def test_what_operators_joined_is_told_from_what_events_said() -> None:
    joined = case([], [Ruling(9, "together", ANN, MAIL)]).joined()
    assert [said_by_operator(one) for one in joined] == [True]
    assert not said_by_operator(link(1, ANN, MAIL))
    assert path_between(joined, ANN, BOB) == []


def test_a_breach_is_what_makes_a_set_inadmissible() -> None:
    assert breach_of([NODES[ANN], NODES[PHONE]], SHIPPED, SILENCE) is None
    assert breach_of([NODES[ANN], NODES[BOB]], SHIPPED, SILENCE) == Breach("user_id")


def test_a_browser_is_explained_by_the_claims_that_decide_and_those_that_do_not() -> None:
    login, contact = Claimed(ANN, 1, 5, ANN, True), Claimed(BOB, 2, 3, BOB, True)
    shared = Claimed(PHONE, 1, 1, PHONE, False)
    told = why_held([contact, shared, login], blocked=False)
    assert (told.held.holder, told.held.shared_from) == (ANN, NEVER)
    assert list(told.deciding) == [login]
    assert list(told.others) == [shared, contact]


def test_sentences_say_whose_a_browser_is() -> None:
    def said(holder: str | None, shared_from: int) -> str:
        return " ".join(sentences.whose("anonymous_id a-1", holder, shared_from))

    assert "Nobody ever signed in" in said(None, NEVER)
    assert "Nothing that was seen on" in " ".join(sentences.whose("anonymous_id a-1", None, NEVER, used=True))
    assert "is nobody's" in said(None, -1)
    assert "used by user_id ann alone: what" in said("user_id ann", NEVER)
    assert "until 1970-01-11; from that day on it is nobody's" in said("user_id ann", 10)


def test_sentences_name_who_said_what_and_when() -> None:
    said = sentences.Saying("user_id ann", "phone +8***34", "2026-03-01T09:00:00+00:00", "m-1", "till", False)
    assert sentences.tie(said) == (
        "user_id ann and phone +8***34 are one person: till said so on 2026-03-01T09:00:00+00:00 (event m-1)."
    )
    by_hand = said._replace(by_operator=True, event_id=f"{7:019d}")
    assert sentences.tie(by_hand).endswith("an operator said so (control 7).")
    assert "at most one value of user_id" in sentences.refused_by_limit(said, "user_id", 1)
    assert "at most 3 values of phone" in sentences.refused_by_limit(said, "phone", 3)
    assert "control 4: two sisters" in sentences.refused_by_word(said, 4, "two sisters")
    assert "(an operator)" in sentences.refused_by_word(said, None, "")
    assert "taken back (control 4: a mistake)" in sentences.revoked(said, 4, "a mistake")
    assert "taken back (by an operator)" in sentences.revoked(said, None, "")
    assert "joins nobody" in sentences.shared("phone +8***34", "partners")
    assert "No trusted event ever tied" in sentences.nothing_ties("a", "b")
    assert sentences.distrusted({"web", "till"}).endswith("does not count by the rules: till, web.")
    assert sentences.era("phone +8***34", 10).startswith("From 1970-01-11 on phone +8***34 is another person's")
