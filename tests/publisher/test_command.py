"""``pusher-channels publish``: what it sends, what it says, and that no end of it loses or doubts a line in silence."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import attrs
import pytest

from pusher_channels import _event_lines, _progress, _publish_command, cli
from pusher_channels._encryption import KeyRing
from pusher_channels._journal import Group, Journal, JournalError, Mark
from pusher_channels._progress import Progress, Standing
from pusher_channels.emulator import Emulator
from tests.publisher.faults import Event, Fault, FaultServer, failing_if, in_turn
from tests.unit.support import MASTER_KEY

COMMAND = [sys.executable, "-m", "pusher_channels.cli", "publish"]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@attrs.frozen
class Files:
    """The three files of a run."""

    events: Path

    @property
    def journal(self) -> Path:
        return Path(f"{self.events}.journal")

    @property
    def failures(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in Path(f"{self.events}.failures").read_text(encoding="utf-8").splitlines()]

    def write(self, *lines: object) -> None:
        self.events.write_text("".join(f"{as_line(line)}\n" for line in lines), encoding="utf-8")

    def add(self, *lines: object) -> None:
        with self.events.open("a", encoding="utf-8") as file:
            file.writelines(f"{as_line(line)}\n" for line in lines)

    def marks(self) -> dict[int, list[str]]:
        """What the journal says of each line."""
        marks: dict[int, list[str]] = defaultdict(list)
        for line in self.journal.read_text(encoding="ascii").splitlines():
            if line[0] in "afubr":
                marks[int(line[2:])].append(line[0])
        return marks


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "events.jsonl")


def as_line(line: object) -> str:
    return line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)


def event(number: int, channels: int = 7) -> dict[str, object]:
    return {"channel": f"channel-{number % channels}", "name": "e", "data": str(number)}


def publish(url: str, files: Files, *options: str) -> int:
    return cli.main(["publish", str(files.events), "--url", url, *options])


def test_a_file_is_published(files: Files, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(
        {"channel": "a", "name": "one", "data": "text as it is"},
        "",
        {"channel": "a", "name": "two", "data": {"ключ": [1, None, 2.5]}, "socket_id": "1.2"},
        {"name": "three", "data": None, "channel": "b", "info": "subscription_count"},
        {"name": "four", "data": 4, "channel": "b", "info": ["subscription_count"], "socket_id": None},
    )
    with Emulator() as emulator:
        monkeypatch.setenv("PUSHER_URL", emulator.url)
        assert cli.main(["publish", str(files.events)]) == 0
        published = emulator.published
    assert sorted((event.name, event.channel, event.data, event.socket_id) for event in published) == [
        ("four", "b", "4", None),
        ("one", "a", "text as it is", None),
        ("three", "b", "null", None),
        ("two", "a", '{"ключ":[1,null,2.5]}', "1.2"),
    ]
    assert capsys.readouterr().out == "4 accepted, 0 failed, 0 unknown\n"
    assert files.failures == []


INVALID = {
    "{": "is not JSON: Expecting property name enclosed in double quotes: line 2 column 1 (char 2)",
    "[" * 100_000: "is not JSON: ",
    "[1]": "is not a JSON object",
    '{"channel":"c","name":"e"}': "has no 'data'",
    '{"channel":"c","name":"e","data":"d","event":"e"}': "has the unknown field 'event'",
    '{"channel":"no spaces","name":"e","data":"d"}': "channel: must ",
    '{"channel":3,"name":"e","data":"d"}': "channel: must be a string",
    '{"channel":"c","name":"","data":"d"}': "name: must be 1 to 200 characters long",
    '{"channel":"c","name":"e","data":NaN}': "data: must not hold NaN",
    '{"channel":"c","name":"e","data":"d","socket_id":"x"}': "socket_id: must ",
    '{"channel":"c","name":"e","data":"d","info":3}': "info: must be ",
    '{"channel":"c","name":"e","data":"%s"}' % ("x" * 10_241): "data: must be at most 10240 bytes",
    '{"channel":"private-encrypted-c","name":"e","data":"d"}': "encryption_master_key_base64: is needed",
    '{"channel":"c","name":"e","data":"%s"}' % ("x" * _event_lines.LONGEST_LINE): "is longer than 1048576 bytes",
}


def test_invalid_lines_fail_with_their_number_and_reason(files: Files, server: FaultServer) -> None:
    files.write(event(1), *INVALID, event(2))
    assert publish(server.url, files) == 1
    assert sorted(server.all_taken) == ["1", "2"]
    assert [failure["line"] for failure in files.failures] == list(range(2, 2 + len(INVALID)))
    for failure, (line, reason) in zip(files.failures, INVALID.items(), strict=True):
        assert failure["outcome"] == "failed"
        assert str(failure["error"]).startswith(reason)
        if "longer" in reason:
            assert failure.keys() == {"line", "outcome", "error"}
        elif "not JSON" in reason:
            assert failure["text"] == line
        elif "NaN" not in reason:
            assert failure["event"] == json.loads(line)


def test_bytes_that_are_not_utf8(files: Files, server: FaultServer) -> None:
    files.events.write_bytes(b'{"channel":"c","name":"e","data":"\xff"}\r\n' + as_line(event(1)).encode())
    assert publish(server.url, files) == 1
    (failure,) = files.failures
    assert str(failure["error"]).startswith("is not JSON: 'utf-8' codec")
    assert failure["text"] == '{"channel":"c","name":"e","data":"\ufffd"}'
    assert server.all_taken == ["1"]


def test_what_the_server_refuses_or_leaves_in_doubt(
    files: Files, server: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    faults: dict[str, Fault] = {"3": "400", "14": "reset taken"}

    def plan(events: Sequence[Event]) -> Fault:
        for event in events:
            if event["data"] in faults:
                return faults[event["data"]]
        return "none"

    server.plan = plan
    files.write(*(event(number, channels=1) for number in range(20)))
    assert publish(server.url, files) == 1
    failed, *unknown = files.failures
    assert failed == {"line": 4, "outcome": "failed", "error": "400: refused with 400", "event": event(3, channels=1)}
    # Ten events, unless the machine was so slow that some were sent before there were ten.
    (in_doubt,) = (request for request in server.requests if any(sent["data"] == "14" for sent in request))
    assert [failure["line"] for failure in unknown] == [int(sent["data"]) + 1 for sent in in_doubt]
    for failure in unknown:
        assert failure["outcome"] == "unknown"
        assert str(failure["error"]).startswith("the event may have been taken or not: POST ")
    assert sorted(map(int, server.all_taken)) == [number for number in range(20) if number != 3]
    counts = f"{19 - len(in_doubt)} accepted, 1 failed, {len(in_doubt)} unknown"
    assert capsys.readouterr().out.startswith(f"{counts}: see ")


def test_retry_unsafe(files: Files, server: FaultServer) -> None:
    server.plan = in_turn("reset taken")
    files.write(event(1))
    assert publish(server.url, files, "--retry-unsafe", "--quiet") == 0
    assert server.all_taken == ["1", "1"]


def test_a_second_run_sends_what_is_new(files: Files, server: FaultServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.plan = failing_if("413", lambda event: event["data"] == "2")
    files.write(*map(event, range(5)))
    assert publish(server.url, files) == 1
    assert publish(server.url, files) == 1
    files.add(event(5), "no event")
    assert publish(server.url, files) == 1
    assert sorted(server.all_taken) == ["0", "1", "3", "4", "5"]
    assert [failure["line"] for failure in files.failures] == [3, 7]
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "4 accepted, 1 failed, 0 unknown",
        "4 accepted, 1 failed, 0 unknown",
        "5 accepted, 2 failed, 0 unknown",
    ]


def test_what_would_fail_for_all_stops_it(
    files: Files, server: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.plan = failing_if("404 in chunks", lambda event: True)
    files.write(*map(event, range(1000)))
    assert publish(server.url, files) == 1
    assert "stopped: 404: none. Lines that were not taken are sent when it is run again\n" in (capsys.readouterr().err)
    assert len(server.requests) < 100
    assert files.failures == []
    server.plan = in_turn()
    assert publish(server.url, files) == 0
    assert sorted(map(int, server.all_taken)) == list(range(1000))
    assert_order(server)


@pytest.mark.parametrize("fault", ["429", "503 with retry-after", "refused"])
def test_a_server_that_takes_nothing_stops_it(
    files: Files, server: FaultServer, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(_publish_command, "_RETRIES", 1)
    left = count(1)
    server.plan = failing_if(fault, lambda _: next(left) >= 20)
    files.write(*map(event, range(1000)))
    assert publish(server.url, files, "--quiet") == 1
    accepted = len(server.all_taken)
    assert accepted < 250
    assert all(failure["outcome"] == "unknown" for failure in files.failures)
    unknown = len(files.failures)
    server.plan = in_turn()
    while len(files.marks()) < 1000 or any(marks[-1] == "r" for marks in files.marks().values()):
        publish(server.url, files, "--quiet")  # after "refused" it may still not listen
    assert len(files.failures) == unknown
    assert len(server.all_taken) >= 1000 - unknown
    assert_order(server)


def test_a_wrong_key_stops_it(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    files.write(*map(event, range(300)))
    with Emulator() as server:
        assert publish(server.url.replace(f"{urlsplit(server.url).username}:", "another:"), files, "--quiet") == 1
        assert "stopped: 400: Unknown auth_key" in capsys.readouterr().err
        assert files.failures == []
        assert publish(server.url, files, "--quiet") == 0
        assert len(server.published) == 300


def test_encrypted_channels(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSHER_ENCRYPTION_MASTER_KEY_BASE64", MASTER_KEY)
    files.write({"channel": "private-encrypted-c", "name": "e", "data": "d"})
    with Emulator() as server:
        assert publish(server.url, files, "--quiet") == 0
        (published,) = server.published
    assert KeyRing(MASTER_KEY).decrypt("private-encrypted-c", published.data) == "d"


def assert_order(server: FaultServer) -> None:
    for taken in server.taken.values():
        numbers = [int(data) for data in taken]
        assert numbers == sorted(numbers)


def test_wrong_calls(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://key:hidden@127.0.0.1:1/apps/3"
    monkeypatch.delenv("PUSHER_URL", raising=False)
    assert cli.main(["publish", str(files.events)]) == 2
    assert "PUSHER_URL: is not set" in capsys.readouterr().err
    assert publish(url, files) == 2
    assert f"{files.events}: No such file" in capsys.readouterr().err
    assert publish("http://key:hidden@/", files) == 2
    assert "url: has no host" in capsys.readouterr().err
    files.write()
    assert publish(url, files, "--failures", str(tmp_path / "missing" / "file")) == 2
    assert "No such file" in capsys.readouterr().err
    for options in (["--concurrency", "0"], ["--concurrency", "x"], ["--unknown"]):
        with pytest.raises(SystemExit) as info:
            publish(url, files, *options)
        assert info.value.code == 2
    assert publish(url, files) == 0
    files.write(event(1))
    files.journal.write_text("something else\n", encoding="ascii")
    assert publish(url, files) == 2
    assert "cannot use the journal: it is not a journal" in capsys.readouterr().err


def journal_of(files: Files, target: str = "app") -> Journal:
    return Journal(files.journal, files.events, target)


def test_a_journal_is_that_of_one_file_and_app(files: Files) -> None:
    files.write(event(1), event(2))
    journal_of(files).close()
    files.add(event(3))
    journal = journal_of(files)
    with pytest.raises(JournalError, match="another run is using it"):
        journal_of(files)
    journal.sending([Group(1, 1, 0, 10)])
    journal.close()
    with pytest.raises(JournalError, match="it is about publishing to app"):
        journal_of(files, "other app")
    complete = files.events.read_bytes()
    files.events.write_bytes(complete[:9])
    with pytest.raises(JournalError, match="another file, or what was published of this one has changed"):
        journal_of(files)
    files.events.write_bytes(complete.replace(b'"1"', b'"9"'))
    with pytest.raises(JournalError, match="another file"):
        journal_of(files)
    files.events.write_bytes(complete)
    with files.journal.open("ab") as file:
        file.write(b"x\na 1\n")
    with pytest.raises(JournalError, match="line 3 of it is damaged"):
        journal_of(files)


def test_a_file_that_became_shorter(files: Files) -> None:
    files.write("x" * 100_000)
    journal = journal_of(files)
    journal.sending([Group(1, 1, 0, 100_001)])
    journal.close()
    os.truncate(files.events, 80_000)
    with pytest.raises(JournalError, match="the file is shorter"):
        journal_of(files)


def test_a_journal_that_ends_anywhere(files: Files) -> None:
    """Whatever was written last: a line is settled, in doubt, to be sent again, or was never announced."""
    files.write(*["ten bytes"] * 9)
    journal = journal_of(files)
    journal.sending([Group(1, 4, 0, 40)])
    journal.settle(2, "a")
    journal.settle(1, "r")
    journal.sending([Group(5, 9, 40, 90)])
    marks: list[tuple[int, Mark]] = [(3, "f"), (4, "u"), (9, "a"), (5, "b"), (6, "r"), (7, "r")]
    for line, mark in marks:
        journal.settle(line, mark)
    journal.sending([Group(1, 1, 0, 10), Group(6, 6, 50, 60)])
    journal.settle(6, "a")
    journal.close()
    complete = files.journal.read_bytes()
    for end in range(len(complete) + 1):
        files.journal.write_bytes(complete[:end])
        journal = journal_of(files)
        read = complete[:end].rpartition(b"\n")[0].decode().splitlines()[1:]
        assert journal.resumed == bool(complete[:end].count(b"\n"))
        announced = {
            line
            for record in read
            if record.startswith("s ")
            for line in range(int(record.split()[1]), int(record.split()[2]) + 1)
        }
        last_word = {line: word for record in read for word, line in lines_of(record)}
        assert journal.next_line == max(announced, default=0) + 1
        assert {line for group in journal.groups for line in group.open} == {
            line for line, word in last_word.items() if word == "s"
        }
        assert {line for group in journal.groups for line in group.again} == {
            line for line, word in last_word.items() if word == "r"
        }
        assert journal.counts.total() == sum(1 for record in read if record[0] in "afub")
        journal.close()
        assert files.journal.read_bytes().endswith(b"\n")


def lines_of(record: str) -> list[tuple[str, int]]:
    word, first, *rest = record.split()
    return [(word, line) for line in range(int(first), int(rest[0] if rest else first) + 1)]


class Killing:
    """Starts the command, and kills it when the server has a certain request of it."""

    def __init__(self, server: FaultServer, files: Files, fault: Fault = "none") -> None:
        self._server = server
        self._files = files
        self._fault: Fault = fault
        self._process: subprocess.Popen[str] | None = None

    def run(self, requests: int | None, number: int, *options: str) -> subprocess.CompletedProcess[str]:
        left = [requests]

        def plan(events: Sequence[Event]) -> Fault:
            if left[0] is None:
                return "none"
            left[0] -= 1
            if left[0] == 0:
                assert self._process is not None
                self._process.send_signal(number)
                if number == signal.SIGKILL:
                    self._process.wait()
                return self._fault
            return "none"

        self._server.plan = plan
        command = [*COMMAND, str(self._files.events), "--url", self._server.url, *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = self._process.communicate(timeout=60)
        return subprocess.CompletedProcess(command, self._process.returncode, out, err)


def audit(files: Files, server: FaultServer, count: int) -> Counter[str]:
    """Hold the journal and the failures file against what the server took; return how many lines have which outcome."""
    marks = files.marks()
    assert sorted(marks) == list(range(1, count + 1))
    taken = Counter(server.all_taken)
    for line, words in marks.items():
        assert len(words) == 1
        assert taken[str(line - 1)] in {"a": (1,), "u": (0, 1), "f": (0,)}[words[0]]
    assert sorted(str(failure["line"]) for failure in files.failures) == sorted(
        str(line) for line, words in marks.items() if words[0] != "a"
    )
    for failure in files.failures:
        assert failure["event"] == event(int(str(failure["line"])) - 1)
    assert_order(server)
    return Counter(words[0] for words in marks.values())


def test_killed_and_resumed(files: Files, server: FaultServer) -> None:
    count = 1500
    files.write(*map(event, range(count)))
    kills: list[tuple[Fault, int]] = [("none", 1), ("reset before", 40)]
    for fault, requests in kills:
        killed = Killing(server, files, fault).run(requests, signal.SIGKILL)
        assert killed.returncode == -signal.SIGKILL
    last = Killing(server, files).run(None, 0)
    assert last.returncode == 1
    told = [int(found) for found in re.findall("^([0-9]+) lines were being sent when the last run ended", last.stderr)]
    outcomes = audit(files, server, count)
    assert outcomes["f"] == 0
    assert told
    assert outcomes["u"] >= told[0] > 0
    assert outcomes["u"] <= 2 * 300
    assert last.stdout.startswith(f"{outcomes['a']:,} accepted, 0 failed, {outcomes['u']:,} unknown: see ")


def test_killed_and_told_to_send_again_what_is_in_doubt(files: Files, server: FaultServer) -> None:
    count = 600
    files.write(*map(event, range(count)))
    Killing(server, files).run(20, signal.SIGKILL)
    settled = {line - 1 for line in files.marks()}
    last = Killing(server, files).run(None, 0, "--resend-doubtful")
    assert last.returncode == 0
    assert "may have arrived: they are sent again" in last.stderr
    assert last.stdout == "600 accepted, 0 failed, 0 unknown\n"
    taken = Counter(server.all_taken)
    assert len(taken) == count
    twice = {int(data) for data, times in taken.items() if times > 1}
    assert max(taken.values()) <= 2
    assert not twice & settled
    assert {mark for marks in files.marks().values() for mark in marks} == {"a"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing_in_doubt(files: Files, server: FaultServer, number: signal.Signals) -> None:
    count = 2000
    files.write(*map(event, range(count)))
    stopped = Killing(server, files).run(3, number)
    assert stopped.returncode == 1
    assert "stopped: interrupted; run it again to go on\n" in stopped.stderr
    assert len(server.all_taken) < count
    last = Killing(server, files).run(None, 0)
    assert (last.returncode, last.stdout) == (0, "2,000 accepted, 0 failed, 0 unknown\n")
    assert audit(files, server, count) == {"a": count}


def test_a_journal_that_cannot_be_written_stops_it(
    files: Files, server: FaultServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: Journal, line: int, mark: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "settle", full)
    files.write(*map(event, range(5000)))
    assert publish(server.url, files) == 1
    assert "stopped: cannot write: No space left on device" in capsys.readouterr().err
    assert len(server.all_taken) < 5000


def progress_shows(monkeypatch: pytest.MonkeyPatch, standing: Callable[[], Standing], *, terminal: bool) -> Progress:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(_progress, "time", SimpleNamespace(monotonic=lambda: 0.0))  # however long it takes
    return Progress(standing, shown=True)


def test_progress(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(_progress, "_LOG_SECONDS", 0.001)
    monkeypatch.setattr(_progress, "_TERMINAL_SECONDS", 3600.0)  # it shows the end alone
    shares = iter([0.0, 0.5, *[1.0] * 100_000])

    def standing() -> Standing:
        return Standing(share=next(shares), done=10, counts="10 accepted")

    with progress_shows(monkeypatch, standing, terminal=True) as progress:
        assert re.fullmatch(r"\[\.{24}\]   0% 10 accepted, [0-9,]+/s", progress.line())
        assert re.fullmatch(r"\[#{12}\.{12}\]  50% 10 accepted, [0-9,]+/s, 0:00 left", progress.line())
    assert re.search(r"\r\x1b\[K\[#{24}\] 100% 10 accepted, .*\n$", capsys.readouterr().err)
    with progress_shows(monkeypatch, standing, terminal=False) as progress:
        assert re.fullmatch(r"100% 10 accepted, [0-9,]+/s, 0:00 left", progress.line())
        seen = ""
        while "100%" not in seen:
            seen += capsys.readouterr().err
    assert re.match(r"100% 10 accepted, [0-9,]+/s, 0:00 left\n", seen)
    assert _progress._clock(3700.4) == "1:01:40"  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (200, r"\[#{12}\.{12}\]  50% (9,)+9, [0-9,]+/s, 0:00 left"),
        (80, r"\[#{6,12}\.{6,12}\]  50% (9,)+9, [0-9,]+/s, 0:00 left"),
        (60, r" 50% (9,)+9, [0-9,]+/s, 0:00 left"),
        (30, r" 50% (9,)+"),
    ],
)
def test_the_bar_gives_way_to_the_figures(monkeypatch: pytest.MonkeyPatch, columns: int, shown: str) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))

    def standing() -> Standing:
        return Standing(share=0.5, done=10, counts="9," * 14 + "9")

    with progress_shows(monkeypatch, standing, terminal=True) as progress:
        line = progress.line()
    assert re.fullmatch(shown, line)
    assert len(line) < columns


def test_a_full_disk_stops_it_before_anything_is_sent_that_is_not_recorded(files: Files, server: FaultServer) -> None:
    files.write(*map(event, range(1000)))
    for size in (100, 190, 215, 225, 240, 300, 700):  # in the header, in its first records, in its outcomes
        limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"
        ignored = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)"
        program = f"{limited}; {ignored}; import sys; from pusher_channels import cli; sys.exit(cli.main(sys.argv[1:]))"
        arguments = ["publish", str(files.events), "--url", server.url, "--quiet"]
        # Without -B, Python could cut off the compiled modules that it writes, and others would stumble over them.
        command = [sys.executable, "-B", "-c", program, *arguments]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (run.returncode in (1, 2), "File too large" in run.stderr) == (True, True), (size, run)
    publish(server.url, files, "--quiet")
    counts = Counter(server.all_taken)
    assert max(counts.values()) == 1
    unknown = {str(failure["line"]) for failure in files.failures}
    assert len(counts.keys() | {str(int(line) - 1) for line in unknown}) == 1000


@pytest.mark.parametrize("content", ['{"precious": true}', "x" * 5000 + "\n"])
def test_a_file_that_is_no_journal_is_left_alone(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    files.write(event(1))
    other = tmp_path / "other"
    other.write_text(content, encoding="ascii")
    assert publish("http://key:secret@127.0.0.1:1/apps/3", files, "--journal", str(other)) == 2
    assert "cannot use the journal: it is not a journal" in capsys.readouterr().err
    assert other.read_text(encoding="ascii") == content


def test_the_file_itself_is_not_its_own_file_of_failures(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    files.write(event(1))
    before = files.events.read_bytes()
    assert publish("http://key:secret@127.0.0.1:1/apps/3", files, "--failures", str(files.events)) == 2
    assert "is the file of events itself" in capsys.readouterr().err
    assert files.events.read_bytes() == before


def test_a_line_that_is_still_being_written_waits(
    files: Files, server: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = as_line(event(1))
    files.events.write_text(f"{as_line(event(0))}\n{whole[:20]}", encoding="utf-8")
    assert publish(server.url, files) == 0
    assert "line 2 is not complete: it is left for the next run" in capsys.readouterr().err
    files.events.write_text(f"{as_line(event(0))}\n{whole}", encoding="utf-8")  # complete, if without its end
    assert publish(server.url, files) == 0
    assert server.all_taken == ["0", "1"]


def test_a_change_of_what_was_published_is_noticed(
    files: Files, server: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    files.write(*map(event, range(2000)))
    assert publish(server.url, files, "--quiet") == 0
    text = files.events.read_text(encoding="utf-8")
    files.events.write_text(text[:-40] + "x" + text[-40:] + as_line(event(1)), encoding="utf-8")
    assert publish(server.url, files) == 2
    assert "no line ends where the next one is to begin" in capsys.readouterr().err
