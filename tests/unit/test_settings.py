"""Settings: where a value comes from, and what it may be."""

from pathlib import Path

import pytest

from choice_ledger.settings import (
    CONFIG_BYTES_MAX,
    CONFIG_NAME,
    SECRET_BYTES_MAX,
    SECRETS,
    InvalidSetting,
    Settings,
    environment_name,
    load,
    shown,
)

TEXT = "# a comment\n"


def fault_of(
    flags: dict[str, object] | None = None,
    environment: dict[str, str] | None = None,
    config: Path | None = None,
) -> InvalidSetting:
    """The fault of settings that cannot be."""
    with pytest.raises(InvalidSetting) as caught:
        load(flags or {}, environment or {}, config)
    return caught.value


def test_without_anything_the_defaults_hold() -> None:
    """Nothing given, every setting has its default, and says so."""
    loaded = load({}, {})
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.config is None
    assert loaded.settings.brokers == ()


def test_a_flag_goes_before_the_environment_that_before_the_file(tmp_path: Path) -> None:
    """Of several sources the first in the order flag, environment, file, default gives the value."""
    config = tmp_path / "c.toml"
    config.write_text('home = "file"\ntenant = "file"\nlog_level = "error"\n', encoding="utf-8")
    environment = {"CHOICE_LEDGER_HOME": "environment", "CHOICE_LEDGER_TENANT": "environment"}
    loaded = load({"home": "flag", "tenant": None}, environment, config)
    assert (loaded.settings.home, loaded.origins["home"]) == ("flag", "flag")
    assert (loaded.settings.tenant, loaded.origins["tenant"]) == ("environment", "environment")
    assert (loaded.settings.log_level, loaded.origins["log_level"]) == ("error", "file")
    assert loaded.origins["kafka"] == "default"
    assert loaded.config == config


def test_the_file_is_named_by_flag_or_environment_or_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is named goes before the one that the environment names, and that before one at hand."""
    monkeypatch.chdir(tmp_path)
    for name in ("flag", "environment"):
        (tmp_path / name).write_text(f'tenant = "{name}"', encoding="utf-8")
    (tmp_path / CONFIG_NAME).write_text('tenant = "found"', encoding="utf-8")
    environment = {"CHOICE_LEDGER_CONFIG": str(tmp_path / "environment")}
    assert load({}, environment, tmp_path / "flag").settings.tenant == "flag"
    assert load({}, environment).settings.tenant == "environment"
    assert load({}, {}).settings.tenant == "found"


def test_texts_become_what_a_setting_is() -> None:
    """A number in the environment is a number."""
    assert load({}, {"CHOICE_LEDGER_KAFKA_PARTITIONS": "12"}).settings.kafka_partitions == 12


def test_brokers_are_told_apart() -> None:
    """Several addresses are separated by commas, spaces around them and empty ones do not count."""
    assert load({"kafka": "a:1, b:2,,"}, {}).settings.brokers == ("a:1", "b:2")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kafka_partitions", "0"),
        ("kafka_partitions", "1001"),
        ("kafka_partitions", "six"),
        ("kafka_replication", "0"),
        ("kafka_min_insync", "-1"),
        ("freshness_ms_max", "3600001"),
        ("log_level", "loud"),
        ("tenant", "Acme"),
        ("tenant", "x" * 64),
        ("kafka_topic_individuals", "a/b"),
        ("kafka_security_protocol", "TLS"),
    ],
)
def test_what_a_setting_may_not_be(name: str, value: str) -> None:
    """A wrong value is told by its source's name for it, without the value, which may be a secret."""
    fault = fault_of(environment={environment_name(name): value})
    assert fault.setting == environment_name(name)
    assert value not in fault.message.split()
    assert fault_of(flags={name: value}).setting == "--" + name.replace("_", "-")


def test_a_wrong_number_is_told_in_words() -> None:
    """What a number must be is said in words, at a limit with the limit, and without names of types."""
    partitions = environment_name("kafka_partitions")
    assert fault_of(environment={partitions: "six"}).message == "must be a whole number"
    assert fault_of(environment={partitions: "0"}).message == "must be a whole number >= 1"


@pytest.mark.parametrize(
    ("name", "value"), [("kafka_partitions", "1"), ("kafka_partitions", "1000"), ("freshness_ms_max", "0")]
)
def test_what_a_setting_may_just_be(name: str, value: str) -> None:
    """The limits themselves are taken."""
    assert str(getattr(load({}, {environment_name(name): value}).settings, name)) == value


@pytest.mark.parametrize(
    ("environment", "setting"),
    [
        ({"CHOICE_LEDGER_KAFKA_TOPIC_POLICIES": "consent.individuals"}, "kafka_topic_policies"),
        ({"CHOICE_LEDGER_KAFKA_REPLICATION": "1"}, "kafka_min_insync"),
        ({"CHOICE_LEDGER_HOME": ""}, "home"),
        ({"CHOICE_LEDGER_TENANT": "ledger"}, "tenant"),
    ],
)
def test_what_settings_may_not_be_together(environment: dict[str, str], setting: str) -> None:
    """One topic for two streams, more copies in sync than there are, no home, and the ledger's own tenant."""
    assert fault_of(environment=environment).setting == setting


def test_a_file_with_an_unknown_name_is_refused(tmp_path: Path) -> None:
    """A misspelt setting in the file is refused by its name."""
    config = tmp_path / "c.toml"
    config.write_text('hoem = "x"', encoding="utf-8")
    assert fault_of(config=config).setting == "`hoem` in c.toml"


@pytest.mark.parametrize("content", [b"home = ", b"\xff", b"[home"])
def test_a_file_that_is_no_toml_is_refused(content: bytes, tmp_path: Path) -> None:
    """What is no TOML is told with the file."""
    config = tmp_path / "c.toml"
    config.write_bytes(content)
    assert str(config) in fault_of(config=config).setting


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A file that is named has to be there."""
    assert "cannot be read" in fault_of(config=tmp_path / "nowhere.toml").message


def test_the_longest_file_is_read_and_a_longer_one_refused(tmp_path: Path) -> None:
    """A file of exactly the limit is read; one byte more is refused."""
    config = tmp_path / "c.toml"
    config.write_text("#" + "x" * (CONFIG_BYTES_MAX - 1), encoding="utf-8")
    assert load({}, {}, config).settings == Settings()
    config.write_text("#" + "x" * CONFIG_BYTES_MAX, encoding="utf-8")
    assert str(CONFIG_BYTES_MAX) in fault_of(config=config).message


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    """The file's content without its line end is the secret, and it is shown as set only."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n", encoding="utf-8")
    loaded = load({}, {"CHOICE_LEDGER_KAFKA_PASSWORD_FILE": str(secret)})
    assert loaded.settings.kafka_password == "hunter2"
    assert loaded.origins["kafka_password"] == "environment"
    assert shown(loaded)["kafka_password"] == "(set)"
    assert shown(load({}, {}))["kafka_password"] == ""
    assert set(Settings.__struct_fields__) >= SECRETS


def test_a_secret_in_two_places_is_refused(tmp_path: Path) -> None:
    """A secret is given once: by value or by file."""
    both = {"CHOICE_LEDGER_KAFKA_PASSWORD": "x", "CHOICE_LEDGER_KAFKA_PASSWORD_FILE": str(tmp_path / "s")}
    assert "set one of them" in fault_of(environment=both).message


@pytest.mark.parametrize("content", [b"\xff", b"x" * (SECRET_BYTES_MAX + 1)])
def test_a_secret_that_cannot_be_one_is_refused(content: bytes, tmp_path: Path) -> None:
    """A secret is text of at most its limit; the fault does not repeat it."""
    secret = tmp_path / "secret"
    secret.write_bytes(content)
    fault = fault_of(environment={"CHOICE_LEDGER_KAFKA_PASSWORD_FILE": str(secret)})
    assert fault.setting == "CHOICE_LEDGER_KAFKA_PASSWORD_FILE"
    secret.write_bytes(b"x" * SECRET_BYTES_MAX)
    loaded = load({}, {"CHOICE_LEDGER_KAFKA_PASSWORD_FILE": str(secret)})
    assert len(loaded.settings.kafka_password) == SECRET_BYTES_MAX


def test_a_secrets_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A secret's file has to be there."""
    environment = {"CHOICE_LEDGER_KAFKA_PASSWORD_FILE": str(tmp_path / "nowhere")}
    assert "cannot be read" in fault_of(environment=environment).message


def test_only_secrets_have_files() -> None:
    """Of another setting, a variable that ends in `_FILE` means nothing."""
    assert load({}, {"CHOICE_LEDGER_HOME_FILE": "/nowhere"}).settings == Settings()
