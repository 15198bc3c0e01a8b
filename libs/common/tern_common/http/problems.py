"""What an error looks like to a caller. Every error becomes a `Refused` first, and then one answer in the app's style.

Answers never repeat what was sent: it may be personal data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tern_common.errors import Misconfigured, Refused, Transient, Unusable

RETRY_AFTER_S = 2
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z", re.ASCII)


class Fault(BaseModel):
    """One thing that is wrong with a request: `where` is a path of field names, `why` the kind of fault, or what to
    write instead. `line` and `column` count from 1, for bodies that people write."""

    where: str
    why: str
    line: int | None = None
    column: int | None = None


class Problem(BaseModel):
    """RFC 9457, with a stable `code`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[Fault] | None = None


class CodeAndMessage(BaseModel):
    """What tracking SDKs look for."""

    code: str
    message: str


@dataclass(frozen=True)
class ErrorStyle:
    """How an application words its errors: a media type, its schema, and the function that fills it."""

    media_type: str
    schema: type[BaseModel]
    body: Callable[[Refused, Sequence[Fault]], BaseModel]

    def response(
        self, refused: Refused, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
    ) -> Response:
        """The answer, with `Retry-After` and `WWW-Authenticate` where they belong."""
        sent = dict(headers or {})
        if refused.retry_after_s is not None:
            sent["Retry-After"] = str(refused.retry_after_s)
        if refused.status == HTTPStatus.UNAUTHORIZED:
            sent.setdefault("WWW-Authenticate", "Bearer")
        content = self.body(refused, faults).model_dump(exclude_none=True)
        return JSONResponse(content, refused.status, sent, self.media_type)


def _problem(refused: Refused, faults: Sequence[Fault]) -> Problem:
    return Problem(
        type=f"urn:tern:problem:{refused.code}",
        title=_phrase(refused.status),
        status=refused.status,
        detail=refused.message,
        code=refused.code,
        errors=list(faults) or None,
    )


def _code_and_message(refused: Refused, _: Sequence[Fault]) -> CodeAndMessage:
    return CodeAndMessage(code=refused.code, message=refused.message)


PROBLEM = ErrorStyle("application/problem+json", Problem, _problem)
CODE_AND_MESSAGE = ErrorStyle("application/json", CodeAndMessage, _code_and_message)

_BY_STATUS = {
    400: Refused(400, "bad-request", "The request cannot be read."),
    404: Refused(404, "not-found", "There is nothing at this address."),
    405: Refused(405, "method-not-allowed", "This address does not take this method."),
    413: Refused(413, "too-large", "The body is larger than this service takes."),
}

_NOT_UNICODE = Refused(422, "not-unicode", "The request holds half a character (a lone surrogate).")
INTERNAL = Refused(500, "internal-error", "This is a fault of the service; it has been logged.")


def refusal(error: Exception) -> Refused:
    """The answer that an error stands for. Whatever is not foreseen is the service's own fault."""
    match error:
        case Refused():
            return error
        case Transient():
            return Refused(503, "unavailable", "Something the service needs is away. Try again.", RETRY_AFTER_S)
        case Unusable():
            return Refused(422, error.reason, "The request holds a value that cannot be stored or looked up.")
        case Misconfigured():
            return Refused(503, "misconfigured", "The service is not set up correctly; see its log.", RETRY_AFTER_S)
        case _:
            return _framework_refusal(error)


def _framework_refusal(error: Exception) -> Refused:
    match error:
        case RequestValidationError():
            return _invalid(error)
        case HTTPException(status_code=status):
            return _BY_STATUS.get(status) or Refused(status, f"http-{status}", "The request is refused.")
        case UnicodeEncodeError():
            return _NOT_UNICODE
        case PydanticSerializationError() if "surrogates not allowed" in str(error):
            return _NOT_UNICODE
        case _:
            return INTERNAL


def _invalid(error: RequestValidationError) -> Refused:
    if any(fault.get("type") == "json_invalid" for fault in error.errors()):
        return Refused(400, "not-json", "The body is not JSON.")
    return Refused(422, "invalid-request", "The request does not have the form that /openapi.json describes.")


def faults_of(error: Exception) -> list[Fault]:
    """Where a request is wrong, without its values."""
    if isinstance(error, Refused):
        return [Fault.model_validate(flaw._asdict()) for flaw in error.flaws]
    if not isinstance(error, RequestValidationError):
        return []
    return [Fault(where=_where(fault["loc"]), why=str(fault["type"])) for fault in error.errors()]


def _where(loc: Sequence[object]) -> str:
    """Keys that do not look like field names are hidden: a caller may have put an e-mail there."""
    return ".".join(str(part) if isinstance(part, int) or _PLAIN_NAME.match(str(part)) else "*" for part in loc)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
