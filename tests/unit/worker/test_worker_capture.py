"""Every source of text in a process goes through the masker before the sink sees it.

The captures run in a process of their own, so that pytest's own capturing isn't in the way.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from worker.capture import Lines, describe_exception, describe_message
from worker.masking import Masker

ROOT = Path(__file__).parents[3]
CANARY = "CANARY-7f3a9c1e55"

PROGRAM = """
import json, logging, os, subprocess, sys, threading, time, warnings, ctypes
from worker.capture import Capture, current_node
from worker.masking import Masker
CANARY = "CANARY-7f3a9c1e55"
masker = Masker()
masker.register(CANARY, "token", 1)
out = os.fdopen(os.dup(1), "w")
seen = []
def sink(source, level, text, node):
    seen.append([source, level, text.text, [m.to_json() for m in text.masks], node])
capture = Capture(masker, level=logging.DEBUG)
capture.start(sink)
{body}
capture.stop()
out.write(json.dumps(seen))
out.flush()
"""


def captured(body: str) -> list[list[object]]:
    program = PROGRAM.replace("{body}", textwrap.dedent(body))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True,
                          check=True, timeout=60)
    assert CANARY.encode() not in done.stdout + done.stderr
    found: list[list[object]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("body", "source", "level", "text"), [
    ("print('a', CANARY)", "stdout", "info", "a ***"),
    ("print(CANARY, file=sys.stderr)", "stderr", "warning", "***"),
    ("sys.stdout.writelines(['a ', CANARY, '\\n'])", "stdout", "info", "a ***"),
    ("sys.stdout.write(CANARY[:9]); sys.stdout.flush(); time.sleep(0.1); print(CANARY[9:])",
     "stdout", "info", "***"),
    ("os.write(1, CANARY.encode())", "stdout", "info", "***"),
    ("sys.__stdout__.write(CANARY + '\\n'); sys.__stdout__.flush()", "stdout", "info", "***"),
    ("subprocess.run(['sh', '-c', f'echo child {CANARY}'])", "stdout", "info", "child ***"),
    ("subprocess.run(['sh', '-c', f'echo {CANARY} >&2'])", "stderr", "warning", "***"),
    ("libc = ctypes.CDLL(None); libc.puts(CANARY.encode()); libc.fflush(None)",
     "stdout", "info", "***"),
    ("logging.getLogger('httpx').debug('GET %s', 'https://h/?k=' + CANARY)",
     "httpx", "debug", "GET https://h/?k=***"),
    ("logging.getLogger(CANARY).info('x')", "***", "info", "x"),
    ("warnings.warn(CANARY)", "py.warnings", "warning", None),
    ("import structlog; structlog.get_logger().info('event', token=CANARY)",
     "stdout", "info", None),
    ("logging.getLogger().error('%s %s', CANARY)", "root", "error", "<withheld: masking failed>"),
])
def test_a_source(body: str, source: str, level: str, text: str | None) -> None:
    found = captured(body)
    lines = [entry for entry in found if entry[0] == source]
    assert lines, found
    assert lines[0][1] == level
    if text is None:
        assert any("***" in str(line[2]) for line in lines)
    else:
        assert lines[0][2] == text


def test_exceptions_that_nobody_caught() -> None:
    found = captured("""
    def deep():
        local = CANARY
        try:
            raise KeyError(CANARY)
        except KeyError as error:
            caused = ValueError("cause " + CANARY)
            caused.add_note("note " + CANARY)
            raise RuntimeError("outer " + CANARY) from caused
    thread = threading.Thread(target=deep); thread.start(); thread.join()
    class Bad:
        def __del__(self): raise ValueError(CANARY)
    bad = Bad(); del bad
    try:
        deep()
    except RuntimeError:
        logging.getLogger("lib").exception("it failed")
        sys.excepthook(*sys.exc_info())
    """)
    sources = [entry[0] for entry in found]
    assert sources == ["thread", "python", "lib", "python"]
    for entry in (found[0], found[2], found[3]):
        text = str(entry[2])
        assert "RuntimeError: outer ***" in text
        assert "ValueError: cause ***" in text
        assert "note ***" in text
        assert "in deep" in text
    assert "ValueError: ***" in str(found[1][2])


def test_lines_know_their_node_and_masks() -> None:
    found = captured("""
    token = current_node.set("call")
    logging.getLogger("x").info("a %s b", CANARY)
    current_node.reset(token)
    """)
    assert found == [
        ["x", "info", "a *** b", [{"offset": 2, "secret": "token", "version": 1}], "call"]]


def test_what_a_library_kept_of_the_old_streams_is_not_printed_afterwards() -> None:
    found = captured("""
    capture.stop()
    kept = sys.stdout  # not a terminal: it holds what it is given until it is flushed
    capture = Capture(masker); capture.start(sink)
    kept.write("kept " + CANARY)
    capture.stop()
    kept.flush()
    """)
    assert [entry[2] for entry in found] == ["kept ***"]


def test_a_process_that_ends_says_nothing_any_more() -> None:
    found = captured("""
    go, gone = threading.Event(), threading.Event()
    def given_up():
        go.wait()
        print(CANARY, flush=True)
        os.write(2, CANARY.encode())
        logging.getLogger("late").error(CANARY)
        warnings.warn(CANARY)
        subprocess.run(["sh", "-c", f"echo {CANARY}; echo {CANARY} >&2"])
        gone.set()
        raise RuntimeError(CANARY)
    thread = threading.Thread(target=given_up); thread.start()
    print("before", CANARY)
    capture.stop(silent=True)
    go.set(); thread.join()
    assert gone.is_set()
    """)
    assert [entry[2] for entry in found] == ["before ***"]


def test_httpx_at_debug() -> None:
    found = captured("""
    import httpx
    transport = httpx.MockTransport(lambda request: httpx.Response(401, text=CANARY))
    with httpx.Client(transport=transport) as client:
        client.get(f"https://user:{CANARY}@example.org/?key={CANARY}")
    """)
    said = " ".join(str(entry[2]) for entry in found if str(entry[0]).startswith("httpx"))
    assert "key=***" in said


def test_boto3_at_debug() -> None:
    found = captured("""
    import boto3, botocore.exceptions
    from botocore.config import Config
    client = boto3.client(
        "s3", region_name="eu-north-1", aws_access_key_id="AKIA",
        aws_secret_access_key=CANARY, aws_session_token=CANARY,
        endpoint_url="http://127.0.0.1:9",
        config=Config(retries={"max_attempts": 0}, connect_timeout=1))
    try:
        client.put_object(Bucket="b", Key=CANARY, Body=b"x", Metadata={"token": CANARY})
    except botocore.exceptions.BotoCoreError:
        logging.getLogger("node").exception("it failed")
    """)
    said = [str(entry[2]) for entry in found if str(entry[0]).startswith("botocore")]
    assert len(said) > 20
    assert any("x-amz-security-token" in text.lower() and "***" in text for text in said)


def test_a_process_that_dies_of_a_signal_prints_no_value() -> None:
    program = PROGRAM.replace("{body}", textwrap.dedent("""
    def deep(value):
        os.kill(os.getpid(), 11)
    print("before", CANARY, flush=True)
    deep(CANARY)
    """))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True,
                          timeout=60)
    assert done.returncode == -11
    assert CANARY.encode() not in done.stdout + done.stderr


def test_everything_is_given_back() -> None:
    found = captured("""
    capture.stop()
    print("after", file=sys.stderr)
    logging.getLogger().warning("after")
    capture = Capture(masker); capture.start(sink)
    print("again")
    """)
    assert [entry[2] for entry in found] == ["again"]


def test_a_child_that_keeps_the_pipe_open_holds_nothing_up() -> None:
    found = captured("""
    child = subprocess.Popen(["sleep", "30"])
    print("a", CANARY)
    started = time.monotonic()
    capture.stop()
    assert time.monotonic() - started < 10
    child.kill()
    """)
    assert [entry[2] for entry in found] == ["a ***"]


def test_lines_are_cut_with_their_offsets() -> None:
    masker = Masker()
    masker.register(CANARY, "token", 1)
    stream, lines = masker.stream(), Lines()
    text = f"one {CANARY}\ntwo\r\n{CANARY} three {CANARY}"
    found = [line for c in text for line in lines.feed(stream.feed(c))]
    found += lines.feed(stream.close()) + lines.close()
    assert [line.text for line in found] == ["one ***", "two", "*** three ***"]
    assert [[m.offset for m in line.masks] for line in found] == [[4], [], [0, 10]]


def test_a_long_line_is_cut_beside_its_masks() -> None:
    masker = Masker()
    masker.register(CANARY)
    lines = Lines()
    found = lines.feed(masker.mask_text("x" * 16_383 + CANARY + "y" * 10)) + lines.close()
    assert [line.text for line in found] == ["x" * 16_383, "***yyyyyyyyyy"]


def test_a_description_of_an_error_without_a_message() -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    masker = Masker()
    assert describe_message(masker, Silent()).text == "Silent: its message can't be shown"
    assert "Silent" in describe_exception(masker, Silent()).text


def test_a_description_in_one_line_keeps_its_masks() -> None:
    masker = Masker()
    masker.register(CANARY, "tok", 2)
    error = ValueError(f"  got\n\t {CANARY}  and\n{CANARY}")
    told = describe_message(masker, error)
    assert told.text == "ValueError: got *** and ***"
    assert [(mask.offset, mask.secret, mask.version) for mask in told.masks] == [
        (16, "tok", 2), (24, "tok", 2)]
    cut = describe_message(masker, error, 20)
    assert (cut.text, len(cut.masks)) == ("ValueError: got *** ", 1)
    assert describe_message(masker, error, 18).masks == ()


def test_a_reader_that_stumbles_reads_on_and_withholds_the_rest() -> None:
    """Else the pipe would fill, and whoever prints wait for ever; or the end of a value be shown
    whose beginning was lost."""
    found = captured("""
        def short_of_memory(_text):
            raise MemoryError
        capture._channels[0]._stream.feed = short_of_memory
        os.write(1, CANARY[:9].encode())
        while not seen:
            time.sleep(0.01)
        del capture._channels[0]._stream.feed
        os.write(1, CANARY[9:].encode() + b"\\n")
        for number in range(20_000):
            os.write(1, b"line %d %s\\n" % (number, CANARY.encode()))
    """)
    assert [line[:3] for line in found] == [["stdout", "info", "<withheld: masking failed>"]]


def test_what_was_made_ready_and_is_not_needed_leaves_nothing() -> None:
    found = captured("""
    capture.stop()
    def held():
        return len(os.listdir("/proc/self/fd")), threading.active_count(), os.fstat(1), sys.stdout
    before = held()
    other = Capture(masker)
    other.prepare()
    other.prepare()
    assert held()[1] == before[1] + 1
    os.write(2, b"nothing is taken over yet")
    other.discard()
    assert held() == before
    seen.append(["", "", "the same as before"])
    """)
    assert [entry[2] for entry in found] == ["the same as before"]


def test_the_rest_of_a_stream_that_can_not_be_masked_is_withheld() -> None:
    found = captured("""
    def short_of_memory():
        raise MemoryError
    capture._channels[0]._stream.close = short_of_memory
    os.write(1, CANARY.encode())
    os.write(2, b"and stderr as ever")
    """)
    assert [entry[2] for entry in found] == ["<withheld: masking failed>", "and stderr as ever"]
