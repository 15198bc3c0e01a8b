"""Identifiers: which namespaces there are, how a value is written in each, and which an event carries."""

from tern_common.identifiers.namespaces import (
    LONGEST_NAME,
    NAMESPACES,
    Declared,
    Kind,
    Namespace,
    Namespaces,
    family,
    is_well_formed,
)
from tern_common.identifiers.normalising import (
    LONGEST,
    Identifier,
    Normalised,
    Quality,
    is_blocked_word,
    masked,
    normalise,
)
from tern_common.identifiers.reading import contacts_of, identifiers_among, identifiers_of, says_ids_alone

__all__ = [
    "LONGEST",
    "LONGEST_NAME",
    "NAMESPACES",
    "Declared",
    "Identifier",
    "Kind",
    "Namespace",
    "Namespaces",
    "Normalised",
    "Quality",
    "contacts_of",
    "family",
    "identifiers_among",
    "identifiers_of",
    "is_blocked_word",
    "is_well_formed",
    "masked",
    "normalise",
    "says_ids_alone",
]
