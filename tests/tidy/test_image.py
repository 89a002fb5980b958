"""The image and the Compose file say what the program is: no engine is needed to hold them against it."""

import re
from pathlib import Path

import pytest

from choice_ledger.cli.root import COMMANDS
from choice_ledger.http.table import ENDPOINTS
from choice_ledger.settings import Settings, environment_name
from tests.tidy.configuration import at, pyproject, requirements, texts_at
from tests.tidy.image import (
    compose,
    copied_from_the_context,
    dockerfile,
    environment,
    ignored,
    instructions,
    last,
    services_of_ours,
)
from tests.tidy.source import PACKAGES, ROOT

SETTINGS = {environment_name(name): name for name in Settings.__struct_fields__}


def test_both_stages_stand_on_one_pinned_python() -> None:
    """The image names a whole release of a Python that the package is for, and the same one in each stage."""
    images = {one.words[0] for one in dockerfile() if one.name == "FROM"}
    (image,) = images
    found = re.fullmatch(r"python:(3\.\d+)\.\d+-slim-[a-z]+", image)
    assert found is not None, image
    classifiers = texts_at(pyproject(), "project", "classifiers")
    assert f"Programming Language :: Python :: {found[1]}" in classifiers


def test_whatever_is_copied_is_there_and_not_ignored() -> None:
    """Each source of a COPY is a file or folder of the checkout that the build is given."""
    sources = [Path(source) for given, _ in copied_from_the_context() for source in given]
    assert [source for source in sources if not (ROOT / source).exists() or ignored(source)] == []
    assert set(PACKAGES) <= {str(source) for source in sources}
    assert all(ignored(Path(name)) for name in (".git", "tests", "choice-ledger-data", ".venv", "docs"))


def test_only_locked_files_are_installed() -> None:
    """Every installation from an index asks for hashes and for wheels, and every other for no index."""
    steps = [step for one in dockerfile() if one.name == "RUN" for step in one.text.split("&&")]
    installs = [step for step in steps if " install " in step and "pip" in step]
    assert len(installs) == 3
    for step in installs:
        from_index = "--require-hashes" in step and "--only-binary :all:" in step
        assert from_index or ("--no-index" in step and "--no-deps" in step), step
    locks = {name for step in installs for name in re.findall(r"requirements/(\w+\.txt)", step)}
    assert locks == {"run.txt", "build.txt"}
    assert "hatchling" in requirements("build.txt")


def test_the_image_runs_as_nobody_and_holds_no_tools() -> None:
    """The last stage has a user that is not root, installs nothing, and takes its program from the first."""
    (user,) = last("USER").words
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    final = [one for one in dockerfile() if one.stage == 1]
    assert not any("apt" in one.text or "pip install" in one.text for one in final if one.name == "RUN")
    assert any(one.name == "RUN" and "pip uninstall" in one.text for one in final)
    names = [one.name for one in final]
    assert names.index("USER") > max(at for at, name in enumerate(names) if name in {"RUN", "COPY"})


def test_the_image_runs_a_command_that_exists() -> None:
    """What it runs is the project's script with one of its commands, whose port it shows."""
    (script,) = last("ENTRYPOINT").exec_form
    scripts = at(pyproject(), "project", "scripts")
    assert isinstance(scripts, dict)
    assert script in scripts
    assert last("CMD").exec_form[0] in COMMANDS
    assert last("EXPOSE").words == [str(Settings().port)]


def test_the_images_environment_names_settings() -> None:
    """What it sets of ours are settings, and the home is the volume that its user may write."""
    ours = {name: value for name, value in environment().items() if name.startswith("CHOICE_LEDGER_")}
    assert set(ours) <= set(SETTINGS)
    assert [ours["CHOICE_LEDGER_HOME"]] == last("VOLUME").words
    assert ours["CHOICE_LEDGER_HOST"] == "0.0.0.0"
    assert environment()["PYTHONUNBUFFERED"] == "1"


def test_the_health_check_asks_an_open_endpoint() -> None:
    """It runs Python, which the image has, and asks what needs no token."""
    command = last("HEALTHCHECK").exec_form
    assert command[:2] == ["python", "-c"]
    compile(command[2], "the health check", "exec")
    (path,) = re.findall(r"'(/\w+)'", command[2])
    assert [row.open for row in ENDPOINTS if (row.method, row.path) == ("GET", path)] == [True]


def test_the_image_has_the_version_of_the_project() -> None:
    """Compose names the image by the version that is in the checkout."""
    version = at(pyproject(), "project", "version")
    assert {service["image"] for service in services_of_ours().values()} == {f"choice-ledger:{version}"}


def test_no_port_is_published_beyond_this_machine() -> None:
    """Whatever Compose publishes, it publishes on the loop-back address; the service on its own port."""
    ports = [port for service in compose()["services"].values() for port in service.get("ports", ())]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    port = Settings().port
    assert services_of_ours()["serve"]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_composed_services_run_commands_and_settings_that_exist() -> None:
    """Each runs one of our commands, with settings that there are, on the brokers of the same file."""
    brokers = {name for name in compose()["services"] if name.startswith("kafka-")}
    for name, service in services_of_ours().items():
        assert service["command"][0] in COMMANDS, name
        assert set(service["environment"]) <= set(SETTINGS), name
        addresses = service["environment"]["CHOICE_LEDGER_KAFKA"].split(",")
        assert {address.partition(":")[0] for address in addresses} == brokers
        for address in addresses:
            broker, _, port = address.partition(":")
            advertised = compose()["services"][broker]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
            assert f"INSIDE://{broker}:{port}" in advertised


def test_composed_services_wait_for_what_they_need() -> None:
    """The topics wait for healthy brokers, the service for the topics: `up --wait` knows what is to end."""
    ours, brokers = services_of_ours(), {f"kafka-{number}" for number in (1, 2, 3)}
    for service in ours.values():
        assert all(service["depends_on"][broker] == {"condition": "service_healthy"} for broker in brokers)
    assert ours["serve"]["depends_on"]["topics"] == {"condition": "service_completed_successfully"}
    assert ours["topics"]["restart"] == "no"
    assert ours["topics"]["healthcheck"] == {"disable": True}


@pytest.mark.parametrize("name", ["topics", "serve"])
def test_composed_services_may_do_no_more_than_they_need(name: str) -> None:
    """They write to the home's volume alone, and cannot gain what they were not given."""
    service = services_of_ours()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    (volume,) = service["volumes"]
    named, _, place = volume.partition(":")
    assert named in compose()["volumes"]
    assert [place] == last("VOLUME").words


def test_instructions_are_read_as_docker_reads_them() -> None:
    """Comments are no instructions, continued lines are one, and each belongs to its stage."""
    text = '# a\nFROM x AS y\nRUN a \\\n    # b\n    && c\nFROM z\nCMD ["d", "e"]\n'
    read = instructions(text)
    assert [(one.stage, one.name, one.text) for one in read] == [
        (0, "FROM", "x AS y"),
        (0, "RUN", "a && c"),
        (1, "FROM", "z"),
        (1, "CMD", '["d", "e"]'),
    ]
    assert read[-1].exec_form == ["d", "e"]
