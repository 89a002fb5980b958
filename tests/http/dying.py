"""A service that dies in the midst of a call: ``python -m tests.http.dying HOME STAGE``."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from choice_ledger.http import writing
from choice_ledger.http.idempotency import IdempotencyKeys
from choice_ledger.sqlite_used_keys import SqliteUsedKeys
from ledger.sqlite_log import SqliteLog
from tests.http.serving import serving

BODY = {"individual": "ida", "jurisdiction": "US", "populations": ["visitor"], "locale": "en"}


def die(*_: object, **__: object) -> Any:
    """End at once, as when the power is cut."""
    os._exit(9)


def after(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, and then the end."""

    def ending(*arguments: Any, **options: Any) -> Any:
        function(*arguments, **options)
        die()

    return ending


def main(home: str, stage: str) -> None:
    """Serve, call once, and die where the stage says."""
    with serving(Path(home)) as served, served.client() as client:
        match stage:
            case "derived":
                IdempotencyKeys._claim = die  # type: ignore[method-assign]  # a part that dies
            case "claimed":
                SqliteUsedKeys.claim = after(SqliteUsedKeys.claim)  # type: ignore[method-assign]  # a part that dies
            case "appended":
                SqliteLog.append = after(SqliteLog.append)  # type: ignore[method-assign]  # a part that dies
            case _:
                writing.reply_of = die  # type: ignore[attr-defined]  # a part that dies
        client.post("/v1/descriptions", json=BODY, headers={"Idempotency-Key": "mortal"})


if __name__ == "__main__":
    main(*sys.argv[1:])
