"""Rules broken on purpose: the promises must catch every one of them, or they prove nothing."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st

from tern_common.identifiers import Identifier
from tern_identity.domain.rules import Rules
from unit.identity import mutants, promises
from unit.identity import promises_to_operators as to_operators
from unit.identity.acts import TODAY, Act, Item, ruled_histories
from unit.identity.histories import CHANCES, HASTY, TIGHT, WARY, Said
from unit.identity.promises import Promise
from unit.identity.ruled_graph import RuledGraph

pytestmark = pytest.mark.teeth

MEMBER, PHONE = Identifier("user_id", "user-1"), Identifier("phone", "+8613812345671")
EMAIL, BROWSER = Identifier("email", "ann1@example.com"), Identifier("anonymous_id", "browser-1")

CAUGHT: tuple[tuple[type[RuledGraph], Promise, Rules], ...] = (
    (mutants.ArrivalDecides, promises.incremental_equals_rebuild_after_every_step, TIGHT),
    (mutants.LastSayingCounts, promises.partition_does_not_depend_on_arrival_order, TIGHT),
    (mutants.TypedContactsPair, promises.untrusted_events_never_join_or_part, TIGHT),
    (mutants.TypedContactsClaim, promises.a_typed_contact_moves_nothing, TIGHT),
    (mutants.BrowsersPair, promises.two_members_on_one_browser_stay_two, TIGHT),
    (mutants.ForgetsWaitingPairs, promises.incremental_equals_rebuild_after_every_step, HASTY),
    (mutants.LeavesBrowsersBehind, promises.incremental_equals_rebuild_after_every_step, TIGHT),
    (mutants.LeavesKeptBrowsersBehind, promises.incremental_equals_rebuild_after_every_step, TIGHT),
    (mutants.LeavesHomesBehind, promises.incremental_equals_rebuild_after_every_step, TIGHT),
    (mutants.SharedBrowserIsTheFirstMembers, promises.two_members_on_one_browser_stay_two, TIGHT),
    (mutants.FirstBornNamesTheCore, promises.a_members_id_never_changes, TIGHT),
    (mutants.NothingIsRefused, promises.no_customer_breaks_a_guard, TIGHT),
    (mutants.VersionsAreDrawnTooEarly, promises.versions_grow_and_any_delivery_converges, TIGHT),
    (mutants.VersionsAreDrawnTooEarly, promises.consumer_out_of_order_and_twice, TIGHT),
    (mutants.LatePairDecidedAlone, promises.partition_does_not_depend_on_arrival_order, TIGHT),
    (mutants.ContestedForgotten, promises.no_customer_breaks_a_guard, TIGHT),
    (mutants.CannotLinkIgnored, to_operators.a_reverted_pair_never_meets_again, TIGHT),
    (mutants.CannotLinkIgnored, to_operators.split_keeps_each_side_together, TIGHT),
    (mutants.CannotLinkIgnoredForBrowsers, promises.partition_does_not_depend_on_arrival_order, TIGHT),
    (mutants.RevokedPairsCountAsPartners, promises.partition_does_not_depend_on_arrival_order, HASTY),
    (mutants.BlockedStaysEligible, to_operators.block_and_allow_decide, TIGHT),
    (mutants.AllowIgnored, to_operators.block_and_allow_decide, TIGHT),
    (mutants.EraIgnored, to_operators.an_era_parts_what_is_filed_by_day, TIGHT),
    (mutants.EraBeginsWithNothing, to_operators.an_era_parts_what_is_filed_by_day, TIGHT),
    (mutants.EraTakesItsFactsAway, to_operators.what_is_taken_back_leaves_no_trace, TIGHT),
    (mutants.TogetherComesLast, promises.partition_does_not_depend_on_arrival_order, TIGHT),
    (mutants.TogetherIsNotAskedFor, promises.partition_does_not_depend_on_arrival_order, HASTY),
    (mutants.DistrustedPairsCount, promises.untrusted_events_never_join_or_part, WARY),
    (mutants.DistrustedContactsClaim, promises.partition_does_not_depend_on_arrival_order, WARY),
    (mutants.CrowdedForEver, to_operators.what_is_taken_back_leaves_no_trace, WARY),
    (mutants.DeferredForEver, promises.partition_does_not_depend_on_arrival_order, WARY),
    (mutants.TakenBackInSilence, to_operators.merge_then_revert, TIGHT),
)

SHOWN: dict[type[RuledGraph], list[Item]] = {
    mutants.LeavesKeptBrowsersBehind: [
        Said(1, 0, user=1, browser=1),
        Act("cannot", (PHONE,), (BROWSER,), TODAY),
        Said(2, 1, user=1, phone=1),
    ],
    mutants.TogetherIsNotAskedFor: [
        Act("split", (MEMBER, PHONE), (EMAIL,), TODAY),
        Act("block", (MEMBER,), (), TODAY),
        Act("undo", back=1),
    ],
    mutants.TogetherComesLast: [
        Said(1, 0, user=1, phone=1),
        Act("split", (MEMBER, PHONE), (EMAIL,), TODAY),
        Said(2, 1, user=2, phone=1),
    ],
    mutants.CrowdedForEver: [
        Said(1, 0, user=1, browser=1),
        Said(2, 24, user=1, browser=1),
        Act("retire", (BROWSER,), (), TODAY + 1),
    ],
}
"""What few histories by chance would show soon."""


@pytest.mark.parametrize(("mutant", "promise", "rules"), CAUGHT, ids=lambda it: getattr(it, "__name__", ""))
def test_a_broken_rule_is_caught(mutant: type[RuledGraph], promise: Promise, rules: Rules) -> None:
    def is_caught(example: tuple[list[Item], Random]) -> bool:
        history, random = example
        try:
            promise(mutant, rules, history, random)
        except AssertionError:
            return True
        return False

    find(
        st.tuples(st.just(SHOWN[mutant]) if mutant in SHOWN else ruled_histories, CHANCES),
        is_caught,
        settings=settings(
            max_examples=5_000,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
