"""Wordings: the texts that people are shown, stored before the version that names them by digest."""

from typing import Final

from choice_ledger.content_store import CONTENT_BYTES_MAX
from choice_ledger.http.endpoints import JSON, TEXT, Answered, Call, Endpoint, Reply
from choice_ledger.http.problems import Fault, Problem
from choice_ledger.http.write_schemas import SHA256, object_of
from events.line_fields import may_be_shown

BODY_BYTES_MAX: Final = 6 * CONTENT_BYTES_MAX + 1_024
"""Bytes of a body: a text of the greatest size, each of its bytes written as an escape of JSON."""

_TOO_LONG: Final = f"must be a text of at most {CONTENT_BYTES_MAX} bytes in UTF-8; shorten it"


async def store(call: Call) -> Reply:
    """Store a text, and answer the digest that names it. The same text again is no fault."""
    content, tenant = _content_of(call), call.caller.tenant
    digest = await call.service.write(lambda: call.service.ledger.content.hand_in(tenant, content))
    return Reply(status=201, content={"sha256": digest})


def _content_of(call: Call) -> bytes:
    """The bytes of a text, sent by itself or as ``text`` of an object. Raises Problem ``refused``."""
    is_plain = call.body is None and call.headers.get("content-type", "").lower().startswith(TEXT)
    field, content = ("", call.raw) if is_plain else ("text", _text(call.body).encode())
    if len(content) > CONTENT_BYTES_MAX:
        raise Problem("refused", errors=[Fault(field, _TOO_LONG)])
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise Problem("refused", errors=[Fault(field, "must be text in UTF-8")]) from None
    if not text.strip():
        raise Problem("refused", errors=[Fault(field, "must not be empty")])
    return content


def _text(body: object) -> str:
    """The text of an object. Raises Problem ``refused`` with all that is wrong with it."""
    if not isinstance(body, dict):
        raise Problem("refused", errors=[Fault("", "must be an object")])
    unknown = sorted(name for name in body if name != "text")
    faults = [Fault(name, "is no field that may stand here") for name in unknown if may_be_shown(name)]
    if len(faults) < len(unknown):
        faults.append(Fault("", "holds an unknown field"))
    text = body.get("text")
    if not isinstance(text, str):
        faults.append(Fault("text", "is required" if text is None else "must be text"))
    elif not faults:
        return text
    raise Problem("refused", errors=faults)


WORDINGS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="POST",
        path="/v1/wordings",
        operation="store_wording",
        summary="Store a text that people are shown",
        tag="Publish",
        description="A version of a policy names its texts by their SHA-256. They are kept, by that digest, "
        "beside the log, and never changed.",
        answers=(
            Answered(
                status=201,
                description="It is stored, durably: the SHA-256 of its bytes in UTF-8.",
                content={JSON: object_of({"sha256": SHA256})},
            ),
        ),
        problems=("refused",),
        scopes=frozenset({"publish"}),
        handler=store,
        body=object_of(
            {
                "text": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": CONTENT_BYTES_MAX,
                    "pattern": r"\S",
                    "description": "The text: at most 1 MiB in UTF-8.",
                }
            }
        ),
        text_too=True,
        body_bytes_max=BODY_BYTES_MAX,
        example={"text": "We write to you once a month. You may say no at any time."},
    ),
)
"""The rows of this part."""
