"""The state made anew: the same digest, put in place in one step, whatever happens in between."""

import shutil
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from choice_ledger.settings import Settings
from choice_ledger.wiring import open_log, rebuilt_store
from projections.ports import StateStore, StoreFault
from tests.cli.lines import choice_lines
from tests.cli.running import Cli, command_line, process_environment

EVENTS = 4_000


def state_files(home: Path) -> list[str]:
    """The files of the state in a home, SQLite's side files left out."""
    return sorted(path.name for path in home.glob("state*.db"))


def test_a_rebuild_gives_the_same_state(example: Cli) -> None:
    """A state made anew has the digest of the one that grew, and answers the same."""
    before = example.does("digest").out
    answer = example.does("check", "ana", "website.periodic_email").out
    assert example.does("rebuild").out == before
    assert example.does("digest").out == before
    assert example.does("check", "ana", "website.periodic_email").out.split()[:2] == answer.split()[:2]


def test_a_rebuild_leaves_one_state(example: Cli) -> None:
    """However often the state is made anew, there is one, and what it replaced is gone."""
    for _ in range(3):
        example.does("rebuild")
    link, file = sorted(example.home.glob("state*.db"), key=lambda path: not path.is_symlink())
    assert link.name == "state.db"
    assert link.resolve() == file.resolve()
    assert not list(example.home.glob("*.link"))


def test_a_digest_alone_changes_nothing(example: Cli) -> None:
    """With `--digest-only` the digest is told, and the present state stays in its file."""
    before = (state_files(example.home), (example.home / "state.db").stat().st_ino)
    assert example.does("rebuild", "--digest-only", "--json").json["replaced"] is False
    assert (state_files(example.home), (example.home / "state.db").stat().st_ino) == before


def test_a_state_that_is_gone_is_made_anew(example: Cli) -> None:
    """Without its file the state is folded again from the log, to the same digest."""
    before = example.does("digest").out
    (example.home / "state.db").unlink()
    assert example.does("digest").out == before


def test_a_damaged_state_is_told_and_made_anew(example: Cli) -> None:
    """A state that is no state any more ends the command; `rebuild` puts a sound one in its place."""
    before = example.does("digest").out
    (example.home / "state.db").write_bytes(b"nonsense" * 1000)
    assert example("digest").code == 5
    assert example.does("rebuild").out == before
    assert example.does("digest").out == before


def test_a_state_of_another_log_is_told_and_made_anew(example: Cli, published: Cli) -> None:
    """A state that follows from another log is not believed; `rebuild` puts the right one in its place."""
    digest = published.does("digest").out
    (published.home / "state.db").write_bytes((example.home / "state.db").read_bytes())
    done = published("digest")
    assert done.code == 6
    assert "rebuild" in done.err
    assert published.does("rebuild").out == digest
    assert published.does("digest").out == digest


def test_a_state_of_a_copy_that_went_on_apart_is_not_believed(published: Cli, tmp_path: Path) -> None:
    """Of two copies that went on apart, the state of one says nothing of the other's opt-outs: it is told,
    and `rebuild` makes the right one.
    """
    for name, individual in (("one", "ana"), ("other", "bob")):
        copy = Cli(shutil.copytree(published.home, tmp_path / name), published.environment)
        copy.does("choice", "record", individual, "--opt-out", "website.periodic_email")
        copy.does("digest")
    one = Cli(tmp_path / "one", published.environment)
    digest = one.does("digest").out
    for file in one.home.glob("state.db*"):
        file.unlink()
    for file in (tmp_path / "other").glob("state.db*"):
        shutil.copy(file, one.home)
    done = one("check", "ana", "website.periodic_email")
    assert (done.code, done.out) == (6, "")
    assert "choice-ledger rebuild" in done.err
    assert one.does("rebuild").out == digest


def test_a_rebuild_that_fails_leaves_nothing(example: Cli) -> None:
    """Where filling the fresh state fails, its file is removed and the present state stays."""
    digest = example.does("digest").out
    settings = Settings(home=str(example.home))

    def fail(store: StateStore) -> None:
        raise StoreFault(f"no room after {store.checkpoint()}")

    with closing(open_log(settings)) as log, pytest.raises(StoreFault):
        rebuilt_store(settings, log, fail, replace=True)
    assert state_files(example.home) == ["state.db"]
    assert example.does("digest").out == digest


def test_an_expected_digest(example: Cli) -> None:
    """With `--expect` another digest ends with the code of a mismatch."""
    digest = example.does("digest", "--json").json["digest"]
    assert example("digest", "--expect", digest).code == 0
    done = example("digest", "--expect", "0" * 64)
    assert (done.code, done.out) == (6, f"{digest}\n")


@pytest.mark.parametrize("killed_after_s", [0.3, 0.5, 0.8])
def test_a_killed_rebuild_leaves_the_present_state(killed_after_s: float, cli: Cli) -> None:
    """Killed at any time, a rebuild leaves a state that the next command can use, with the right digest."""
    cli.does("import", "-", stdin=choice_lines(EVENTS))
    digest = cli.does("digest").out
    with subprocess.Popen(
        command_line("rebuild"), env=process_environment(cli.home), stdout=subprocess.DEVNULL
    ) as process:
        time.sleep(killed_after_s)
        process.send_signal(signal.SIGKILL)
    assert cli.does("digest").out == digest
    assert cli.does("rebuild").out == digest
    assert len(state_files(cli.home)) == 2, "the name, and the one file that it leads to"
    assert not list(cli.home.glob("*.link"))


def test_one_rebuild_at_a_time(example: Cli) -> None:
    """While a rebuild is under way another one is refused, and removes nothing of the first."""
    digest = example.does("digest").out
    settings = Settings(home=str(example.home))

    def begin_another(store: StateStore) -> None:
        assert store.checkpoint() is None
        refused = example("rebuild")
        assert (refused.code, "another rebuild" in refused.err) == (5, True)

    with closing(open_log(settings)) as log:
        rebuilt_store(settings, log, begin_another, replace=False)
    assert example.does("rebuild").out == digest


def test_a_reader_goes_on_during_a_rebuild(example: Cli) -> None:
    """A process that answers questions from the state goes on answering while it is replaced."""
    line = b'{"individual": "ana", "purpose": "website.periodic_email"}\n'
    with subprocess.Popen(
        command_line("check", "--questions", "-"),
        env=process_environment(example.home, example.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers = []
        for _ in range(3):
            process.stdin.write(line)
            process.stdin.flush()
            answers.append(process.stdout.readline())
            example.does("rebuild")
        process.stdin.close()
        assert process.wait(timeout=30) == 0
    assert len(set(answers)) == 1
    assert b"not_opted_out" in answers[0]
