"""What several of the commands speak of."""

from __future__ import annotations

from typing import Annotated

import typer

from tern_common.errors import Misconfigured

Why = Annotated[str, typer.Option("--why", help="The reason; it is kept for ever beside who and when.")]


def identifier(text: str) -> dict[str, str]:
    """`email:ann@example.com` as the API takes it. Raises `Misconfigured` for anything else."""
    namespace, colon, value = text.partition(":")
    if namespace == "wechat_openid":
        app, _, value = value.partition(":")
        namespace = f"{namespace}:{app}"
    if not (colon and value):
        raise Misconfigured("write an identifier as namespace:value, such as email:ann@example.com")
    return {"namespace": namespace, "value": value}
