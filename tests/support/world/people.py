"""Households and what they have: phones, mailboxes, cards, accounts, devices. Says nothing to anybody."""

from __future__ import annotations

import random
from dataclasses import dataclass
from hashlib import sha256

from support.world import shares
from tern_common.identifiers import Identifier

PREFIXES = (135, 136, 137, 138, 139, 150, 151, 152, 157, 158, 159, 182, 183, 187)
BLOCKS = [block for block in range(100, 1000) if block % 10 != block // 10 % 10]
"""No number is one digit over and over: such ones are refused as junk."""


@dataclass(frozen=True)
class Person:
    """One customer in truth. A phone or mailbox that is not her own is another member's of the household too."""

    number: int
    household: int
    phone: Identifier
    email: Identifier
    own_phone: bool
    own_email: bool
    user: Identifier | None
    card: Identifier | None

    @property
    def contacts(self) -> tuple[Identifier, ...]:
        return self.phone, self.email

    @property
    def own_contacts(self) -> tuple[Identifier, ...]:
        """Those that are nobody else's."""
        return tuple(one for one, own in ((self.phone, self.own_phone), (self.email, self.own_email)) if own)

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        return tuple(one for one in (self.user, self.card, *self.contacts) if one is not None)


@dataclass(frozen=True)
class Device:
    """A browser, and who shops on it. `short`: forgets cookies after a week. `wipes`: its owner deletes them."""

    name: str
    users: tuple[int, ...]
    short: bool
    wipes: bool


@dataclass(frozen=True)
class Population:
    """Everybody, and every browser."""

    tag: str
    persons: tuple[Person, ...]
    devices: tuple[Device, ...]
    kiosk: Device


def phone(tag: str, number: int) -> Identifier:
    """A Chinese mobile number in E.164. Worlds whose tags begin with neighbouring letters never have one in common."""
    block = int(sha256(tag.encode()).hexdigest(), 16) % len(BLOCKS)
    return Identifier(
        "phone", f"+86{PREFIXES[ord(tag[0]) % len(PREFIXES)]}{BLOCKS[block]}{number * 7919 % 100_000:05d}"
    )


def settle(tag: str, seed: int, count: int) -> Population:
    """About `count` persons, in whole households. Every identifier holds the tag, so that worlds never meet."""
    chance = random.Random(f"{seed}-people")
    sizes, weights = zip(*shares.HOUSEHOLD_SIZES.items(), strict=True)
    persons: list[Person] = []
    devices: list[Device] = []
    household = 0
    while len(persons) < count:
        size = chance.choices(sizes, weights)[0]
        members = _household(chance, tag, household, range(len(persons), len(persons) + size))
        persons += members
        devices += _devices(chance, tag, household, members)
        household += 1
    everybody = tuple(person.number for person in persons)
    return Population(tag, tuple(persons), tuple(devices), Device(f"{tag}-kiosk", everybody, short=False, wipes=False))


def _household(chance: random.Random, tag: str, household: int, numbers: range) -> list[Person]:
    """The first two are a couple; who borrows a phone borrows the first one's."""
    couple = len(numbers) > 1 and chance.random() < shares.SHARED_MAILBOX
    borrowed = [place > 0 and chance.random() < shares.BORROWED_PHONE for place in range(len(numbers))]
    found = []
    for place, number in enumerate(numbers):
        shares_mailbox = couple and place < 2
        shares_phone = borrowed[place] or (place == 0 and any(borrowed))
        found.append(
            Person(
                number,
                household,
                phone=phone(tag, numbers[0] if borrowed[place] else number),
                email=Identifier(
                    "email", f"{f'home{household}' if shares_mailbox else f'p{number}'}.{tag}@shop.example"
                ),
                own_phone=not shares_phone,
                own_email=not shares_mailbox,
                user=Identifier("user_id", f"{tag}-u{number}") if chance.random() < shares.MEMBERS else None,
                card=Identifier("loyalty_card", f"{tag}-c{number}") if chance.random() < shares.CARDS else None,
            )
        )
    return found


def _devices(chance: random.Random, tag: str, household: int, members: list[Person]) -> list[Device]:
    """A mobile browser for each phone, laptops for some, and perhaps a tablet for all of them."""

    def device(name: str, *users: int) -> Device:
        short, wipes = chance.random() < shares.SHORT_COOKIES, chance.random() < shares.DELETES_COOKIES
        return Device(f"{tag}-{name}", users, short, wipes)

    holders: dict[Identifier, list[int]] = {}
    for person in members:
        holders.setdefault(person.phone, []).append(person.number)
    found = [device(f"mobile{users[0]}", *users) for users in holders.values()]
    found += [device(f"laptop{one.number}", one.number) for one in members if chance.random() < shares.LAPTOP]
    if len(members) > 1 and chance.random() < shares.TABLET:
        users = [one.number for one in members] if chance.random() < shares.TABLET_SHARED else [members[0].number]
        found.append(device(f"tablet{household}", *users))
    return found
