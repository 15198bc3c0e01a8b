"""The only place that speaks SQL: rows in, domain values out.

`batch` is the one transaction that a poll becomes; `homes`, `events`, `consents` and `profiles` are its statements;
`lookup` reads for the API. Lock order, everywhere: homes, then subjects, then profiles, each ascending.
"""
