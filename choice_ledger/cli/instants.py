"""Instants on the command line: RFC 3339 in UTC."""

from typing import Final, NoReturn

import rich_click as click

from events.instants import Micros, parse_instant


class InstantType(click.ParamType[Micros]):
    """An option's instant."""

    name = "instant"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Micros:
        """Read the text; what is no instant is a wrong command line."""
        if isinstance(value, int):
            return value
        try:
            return parse_instant(str(value))
        except ValueError as fault:
            self._refuse(str(fault), param, ctx)

    def _refuse(self, message: str, param: click.Parameter | None, ctx: click.Context | None) -> NoReturn:
        self.fail(message, param, ctx)


INSTANT: Final = InstantType()
