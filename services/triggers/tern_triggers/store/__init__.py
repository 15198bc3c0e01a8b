"""The only SQL of the service: rows in, domain values out.

Lock order, everywhere: agenda rows ascending, then cart_key rows ascending, then writes table by table in one fixed
order, `position` last (triggers.md §4.3). Whoever fires never waits for an agenda row while it holds another.
"""
