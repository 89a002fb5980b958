"""Settings: what an operator may choose, where each value came from, and the checks that it passes.

A value comes from the first of these that has one: the command line (flag), the environment
(``CHOICE_LEDGER_<NAME>``; for a secret also ``CHOICE_LEDGER_<NAME>_FILE``, the name of a file that holds it),
the configuration file (TOML), the default. ``docs/reference/settings.md`` describes each; a test holds that
the page and this module name the same.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

PREFIX: Final = "CHOICE_LEDGER_"
"""How the environment's names begin."""

CONFIG_NAME: Final = "choice-ledger.toml"
"""The configuration file that is read from the working directory where none is named."""

CONFIG_BYTES_MAX: Final = 64 * 1024
"""Bytes of a configuration file."""

SECRET_BYTES_MAX: Final = 4 * 1024
"""Bytes of a file that holds one secret."""

SECRETS: Final = frozenset({"kafka_password"})
"""Settings whose value is never shown, and may stand in a file that ``…_FILE`` names."""

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
SecurityProtocol: TypeAlias = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Origin: TypeAlias = Literal["flag", "environment", "file", "default"]

TopicName: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
PublicUrl: TypeAlias = Annotated[
    str, Meta(pattern=r"^(https://([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?)?\Z")
]
"""An address that the service has for everybody: https, a host, and a port or none; or empty."""

TenantName: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting with its default. An empty ``kafka`` means the embedded log."""

    home: str = "choice-ledger-data"
    tenant: TenantName = "main"
    kafka: str = ""
    kafka_topic_individuals: TopicName = "consent.individuals"
    kafka_topic_policies: TopicName = "consent.policies"
    kafka_partitions: Annotated[int, Meta(ge=1, le=1_000)] = 6
    kafka_replication: Annotated[int, Meta(ge=1, le=100)] = 3
    kafka_min_insync: Annotated[int, Meta(ge=1, le=100)] = 2
    kafka_security_protocol: SecurityProtocol = "PLAINTEXT"
    kafka_ca_file: str = ""
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_username: str = ""
    kafka_password: str = ""
    freshness_ms_max: Annotated[int, Meta(ge=0, le=3_600_000)] = 2_000
    serve_work: bool = True
    individuals_at_hand_max: Annotated[int, Meta(ge=0, le=10_000_000)] = 100_000
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8700
    public_url: PublicUrl = ""
    rate_per_s: Annotated[float, Meta(gt=0, le=1_000_000)] = 10_000.0
    rate_burst: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000
    log_level: LogLevel = "warning"

    @property
    def brokers(self) -> tuple[str, ...]:
        """The brokers' addresses, or none where the log is the embedded one."""
        return tuple(address.strip() for address in self.kafka.split(",") if address.strip())


class Loaded(msgspec.Struct, frozen=True):
    """Settings, and where the value of each came from."""

    settings: Settings
    origins: Mapping[str, Origin]
    config: Path | None


class InvalidSetting(ValueError):
    """A setting that cannot be. ``setting`` names it as its source does; the message never holds the value,
    which may be a secret.
    """

    def __init__(self, setting: str, message: str) -> None:
        """Name the setting and say what it must be."""
        super().__init__(f"{setting}: {message}")
        self.setting = setting
        self.message = message


def load(flags: Mapping[str, object], environment: Mapping[str, str], config: Path | None = None) -> Loaded:
    """The settings that these sources make; flags that are None were not given.

    ``config`` names the file; without it ``CHOICE_LEDGER_CONFIG`` does, else ``choice-ledger.toml`` in the
    working directory is read where there is one. Raises InvalidSetting.
    """
    path = _config_path(environment, config)
    given: dict[str, tuple[Origin, str, object]] = {}
    for name, value in _from_file(path).items():
        given[name] = ("file", f"`{name}` in {CONFIG_NAME if path is None else path.name}", value)
    for name, (label, text) in _from_environment(environment).items():
        given[name] = ("environment", label, text)
    for name, flag in flags.items():
        if flag is not None:
            given[name] = ("flag", "--" + name.replace("_", "-"), flag)
    for name, (_, label, value) in given.items():
        _check(name, label, value)
    settings = msgspec.convert({name: value for name, (_, _, value) in given.items()}, Settings, strict=False)
    _check_together(settings)
    origins: dict[str, Origin] = {
        name: given[name][0] if name in given else "default" for name in Settings.__struct_fields__
    }
    return Loaded(settings, origins, path)


def shown(loaded: Loaded) -> dict[str, object]:
    """Every setting's value as an operator may see it: a secret only as set or not."""
    values = msgspec.structs.asdict(loaded.settings)
    return {name: ("(set)" if value else "") if name in SECRETS else value for name, value in values.items()}


def environment_name(setting: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + setting.upper()


def _config_path(environment: Mapping[str, str], config: Path | None) -> Path | None:
    named = config or (Path(text) if (text := environment.get(f"{PREFIX}CONFIG")) else None)
    if named is not None:
        return named
    beside = Path(CONFIG_NAME)
    return beside if beside.is_file() else None


def _from_file(path: Path | None) -> dict[str, object]:
    if path is None:
        return {}
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise InvalidSetting(
            f"--config {path}", f"cannot be read ({fault.strerror}); name a TOML file"
        ) from fault
    if len(content) > CONFIG_BYTES_MAX:
        raise InvalidSetting(f"--config {path}", f"has more than {CONFIG_BYTES_MAX} bytes")
    try:
        values = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise InvalidSetting(f"--config {path}", f"is no TOML file: {fault}") from fault
    for name in values:
        if name not in Settings.__struct_fields__:
            raise InvalidSetting(
                f"`{name}` in {path.name}", "is no setting; `choice-ledger config show` lists them"
            )
    return values


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for name in Settings.__struct_fields__:
        label = environment_name(name)
        text = environment.get(label)
        if name in SECRETS and (file := environment.get(f"{label}_FILE")):
            if text is not None:
                raise InvalidSetting(label, f"stands beside {label}_FILE; set one of them")
            label, text = f"{label}_FILE", _secret(f"{label}_FILE", Path(file))
        if text is not None:
            found[name] = (label, text)
    return found


def _secret(label: str, path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise InvalidSetting(label, f"names a file that cannot be read ({fault.strerror})") from fault
    if len(content) > SECRET_BYTES_MAX:
        raise InvalidSetting(label, f"names a file of more than {SECRET_BYTES_MAX} bytes")
    try:
        return content.decode().rstrip("\r\n")
    except UnicodeDecodeError as fault:
        raise InvalidSetting(label, "names a file that is not UTF-8 text") from fault


def _check(name: str, label: str, value: object) -> None:
    """Convert one value by itself, so that a fault is told with the name under which it was given."""
    try:
        msgspec.convert({name: value}, Settings, strict=False)
    except msgspec.ValidationError as fault:
        expected = str(fault).partition(" - at ")[0]
        raise InvalidSetting(label, _without_value(expected)) from None


def _without_value(message: str) -> str:
    """A message of msgspec's in words for people, without the value that it may quote."""
    if message.startswith("Invalid enum value"):
        return "is none of the values it may have"
    wanted = message.partition(", got ")[0].removeprefix("Expected ")
    return "must be " + wanted.replace("`int`", "a whole number").replace("`str`", "a text")


def _check_together(settings: Settings) -> None:
    if settings.kafka_topic_individuals == settings.kafka_topic_policies:
        raise InvalidSetting("kafka_topic_policies", "must differ from kafka_topic_individuals")
    if settings.kafka_min_insync > settings.kafka_replication:
        raise InvalidSetting(
            "kafka_min_insync", "must be at most kafka_replication, or nothing can be written"
        )
    if not settings.home:
        raise InvalidSetting("home", "must name a directory")
    if settings.tenant == "ledger":
        raise InvalidSetting(
            "tenant", "must not be `ledger`, which is kept for what concerns the ledger itself"
        )
