"""Each code block of README.md and docs is run as it is printed, or has a reason of the list why not."""

from __future__ import annotations

import ast
import asyncio
import csv
import inspect
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plexypay_async.cli.command import build_parser
from plexypay_async.sandbox import Sandbox
from tests.needs import need

from .blocks import PAGES, REASONS, ROOT, Block, blocks_in, every_block
from .contexts import CONTEXTS, TOKEN, Place

BLOCKS = every_block()
SERVING = re.compile(r"http://127\.0\.0\.1:\d+")
LIMIT = 120.0
"""Seconds after which a program is killed."""


def those(*kinds: str, marker: str = "") -> pytest.MarkDecorator:
    """Parametrize a test with the blocks of some kinds, and of one marker."""
    found = [block for block in BLOCKS if block.kind in kinds and block.marker == marker]
    assert found
    return pytest.mark.parametrize("block", found, ids=[block.name for block in found])


def contexts() -> pytest.MarkDecorator:
    """Parametrize a test with the contexts of all pages, each with its blocks."""
    found = dict[tuple[Path, str], list[Block]]()
    for block in BLOCKS:
        if block.marker == "in":
            found.setdefault((block.page, block.value), []).append(block)
    ids = [f"{page.name}:{name}" for page, name in found]
    return pytest.mark.parametrize("blocks", list(found.values()), ids=ids)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An empty directory, with a sandbox that the environment names."""
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    with Sandbox(webhook_token=TOKEN, webhook_ports=["*"], seed=1) as sandbox:
        made = Place(directory, sandbox)
        for name in [name for name in os.environ if name.startswith("PLEXYPAY_")]:
            monkeypatch.delenv(name)
        for name, value in made.variables().items():
            monkeypatch.setenv(name, value)
        made.make_programs()
        yield made


def write_files(block: Block, place: Place) -> None:
    """Write the files that stand on the page before a block."""
    for other in BLOCKS:
        if (other.page, other.marker) == (block.page, "file") and other.line < block.line:
            (place.directory / other.value).write_text(other.text, encoding="utf-8")


def need_modules(block: Block) -> None:
    """Skip the test where a package that the code imports is not installed."""
    need(*(name for name in block.modules if name not in sys.stdlib_module_names))


def ran(place: Place, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program in its place; it must end with 0."""
    done = subprocess.run(
        command,
        env=place.environment(),
        input=place.stdin,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        cwd=place.directory,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


def run_script(block: Block, place: Place) -> None:
    """Run commands; each must end with 0."""
    write_files(block, place)
    ran(place, "bash", "-euo", "pipefail", "-c", place.here(block.text))


async def run_fragment(block: Block, place: Place, names: dict[str, Any]) -> None:
    """Run Python code with names around it; its own are among them afterwards."""
    code = place.here(block.text)
    # As if it stood in an `async def`; its tracebacks name the line of the page.
    compiled = compile(
        "\n" * (block.line - 1) + code,
        str(block.page),
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        dont_inherit=True,
    )
    result = eval(compiled, names)
    if inspect.iscoroutine(result):
        await result


@those("python")
def test_a_program_runs(block: Block, place: Place) -> None:
    need_modules(block)
    write_files(block, place)
    (place.directory / "program.py").write_text(block.text, encoding="utf-8")
    done = ran(place, sys.executable, "-W", "error", "program.py")
    assert done.stderr == ""


@those("sh")
def test_commands_run(block: Block, place: Place) -> None:
    run_script(block, place)


@contexts()
def test_the_blocks_of_a_context_run(blocks: list[Block], place: Place) -> None:
    for block in blocks:
        if block.kind == "python":
            need_modules(block)
    write_files(blocks[0], place)

    async def page() -> None:
        async with CONTEXTS[blocks[0].value](place) as names:
            for block in blocks:
                if block.kind == "python":
                    await run_fragment(block, place, names)
                else:
                    await asyncio.to_thread(run_script, block, place)

    asyncio.run(page())


@those("sh", marker="serves")
def test_what_serves_does_so_until_ctrl_c(block: Block, place: Place) -> None:
    log = place.directory / "log"
    with log.open("wb") as file:
        program = subprocess.Popen(
            ["bash", "-c", f"exec {block.text}"],
            env=place.environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        for _ in range(600):
            if SERVING.search(log.read_text()) is not None:
                break
            assert program.poll() is None, log.read_text()
            time.sleep(0.1)
        program.send_signal(signal.SIGINT)
        assert program.wait(60) == 0, log.read_text()
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
    assert SERVING.search(log.read_text()) is not None


@those("csv", "json", "python", marker="file")
def test_a_file_can_be_read(block: Block) -> None:
    if block.kind == "csv":
        header, *rows = csv.reader(io.StringIO(block.text), strict=True)
        assert rows
        assert {len(row) for row in rows} == {len(header)}
    elif block.kind == "json":
        json.loads(block.text)
    else:
        ast.parse(block.text)


@those("sh", "js", marker="not")
def test_what_is_not_run_is_read(block: Block, tmp_path: Path) -> None:
    if block.kind == "js":
        node = shutil.which("node")
        if node is not None:
            (tmp_path / "page.mjs").write_text(block.text)
            subprocess.run([node, "--check", str(tmp_path / "page.mjs")], check=True, timeout=60)
        return
    subprocess.run(["bash", "-n", "-c", block.text], check=True, timeout=60)


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.kind == "sh"], ids=lambda block: block.name
)
def test_a_command_takes_the_arguments_that_it_is_given(block: Block) -> None:
    for line in re.split(r"\n|&&|\|", block.text.replace("\\\n", "")):
        words = shlex.split(line, comments=True)
        names = [word.rpartition("/")[2] for word in words]
        if "plexypay" not in names:
            continue
        given = words[names.index("plexypay") + 1 :]
        if ">" in given:
            given = given[: given.index(">")]
        if not {"--version", "--help"} & {*given}:
            build_parser().parse_args(given)


def test_every_reason_is_in_the_list_and_counted() -> None:
    counted = Counter(block.value for block in BLOCKS if block.marker == "not")

    assert counted == {reason: count for reason, (count, _) in REASONS.items()}


def test_every_context_is_there_and_used() -> None:
    assert {block.value for block in BLOCKS if block.marker == "in"} == set(CONTEXTS)


def test_what_another_file_runs_is_taken_and_used_there() -> None:
    for file in sorted({block.value for block in BLOCKS if block.marker == "by"}):
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        taken = [
            target
            for node in tree.body
            if isinstance(node, ast.Assign) and "run_by(__file__" in ast.unparse(node.value)
            for target in node.targets
        ]
        assert taken, f"{file} takes no block by run_by(__file__)"
        names = {node.id for target in taken for node in ast.walk(target) if isinstance(node, ast.Name)}
        used = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        assert names <= used, f"{file} does not use {sorted(names - used)}"


def test_no_code_has_dots_in_the_place_of_code() -> None:
    for block in BLOCKS:
        if block.kind == "python":
            tree = ast.parse(block.text)
            dots = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value is ...]
            assert not dots, block.name
        elif block.kind == "sh":
            assert "..." not in block.text, block.name


def test_every_page_has_its_place_in_the_list_of_guides() -> None:
    guides = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([\w.-]+\.md)", guides))

    assert linked == {page.name for page in PAGES} - {"README.md"}


def test_every_link_of_a_page_leads_to_a_file_and_a_heading() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if target.startswith(("http://", "https://")):
                continue
            file, _, anchor = target.partition("#")
            there = (page.parent / file) if file else page
            assert there.exists(), f"{page.name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
                slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}
                assert anchor in slugs, f"{page.name}: {target}"


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()

    assert len(lines) <= 170


PAGE = """
<!-- run: in=shop -->
```python
await plexy.close()
```

1. A list.

   <!-- run: not=browser -->
   ```js
   if (true) {
     pay();
   }
   ```

~~~sh
true
~~~
"""


def test_blocks_are_found_wherever_they_stand() -> None:
    found = blocks_in(ROOT / "docs/page.md", PAGE)

    assert [(block.line, block.kind, block.text, block.marker, block.value) for block in found] == [
        (4, "python", "await plexy.close()\n", "in", "shop"),
        (11, "js", "if (true) {\n  pay();\n}\n", "not", "browser"),
        (17, "sh", "true\n", "", ""),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```sh\ntrue\n", "a block without an end"),
        ("```\ntrue\n```\n", "'' is no kind of block"),
        ("```rust\n```\n", "'rust' is no kind of block"),
        ("<!-- run: in=shop -->\n\n```sh\n```\n", "a marker without a block"),
        ("<!-- run: in=shop -->\n", "a marker without a block"),
        ("<!-- run in=shop -->\n```sh\n```\n", "not a marker"),
        ("<!-- run: on=shop -->\n```sh\n```\n", "'on' is no marker"),
        ("<!-- run: in -->\n```sh\n```\n", "has no value"),
        ("<!-- run: serves=it -->\n```sh\n```\n", "one too much"),
        ("<!-- run: not=tired -->\n```sh\n```\n", "'tired' is no reason"),
        ("```text\n```\n", "say by= or not="),
        ("<!-- run: serves -->\n```python\n```\n", "only commands serve"),
    ],
)
def test_what_is_no_block_or_marker_is_told(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        blocks_in(ROOT / "docs/page.md", text)
