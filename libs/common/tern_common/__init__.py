"""Contracts and mechanisms that Tern's services share. Knows no service."""
