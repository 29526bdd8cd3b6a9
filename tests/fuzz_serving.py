"""What is fuzzed of what others say to a running station: the trigger, uploads, templates."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import Callable
from pathlib import Path

from brokers import make_row
from fuzzing import Target
from made import Clock
from starlette.exceptions import HTTPException
from starlette.requests import Request

from flows.clocks import Clocks
from flows.commands import site
from flows.configuration import settings
from flows.configuration.settings import Layout
from flows.files.filenames import printable
from flows.ledger.log import Ledger
from flows.serve.desk import Desk, head_of
from flows.serve.health import Health
from flows.serve.options import ServeOptions, TriggerOptions
from flows.serve.problems import RefusedError
from flows.serve.shelf import Shelf
from flows.serve.trigger import Trigger
from flows.serve.uploads import _from_json, _given
from flows.sinks.template import checked, fill, value_of

MOST_TEMPLATE = 100_000
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
BOUNDARY = b"edge"


def serving(folder: Path) -> list[Target]:
    """Every target, its files in an empty folder."""
    trigger = speaking(folder / "speaking")
    return [
        Target("trigger's lines", 0.03, LINES, LINE_WORDS, trigger),
        Target("JSON uploads", 0.04, JSON, JSON_WORDS, from_json),
        Target("form uploads", 0.03, FORMS, FORM_WORDS, from_form(folder / "forms")),
        Target("templates", 0.04, TEMPLATES, TEMPLATE_WORDS, template),
    ]


LINES = [
    b"READ press-3 part-1.png\r\n",
    b"LAST press-3\r\nSTATUS\r\n",
    b"EXPECT press-3 KX204817\nREAD press-3 part 2.png\n",
    b"STATUS\n\n\nstatus\r\nlast default\r\n",
    "EXPECT press-3 Ä1\r\n".encode(),
]
LINE_WORDS = [
    *(b"READ ", b"LAST ", b"EXPECT ", b"STATUS", b"\r", b"\n", b"\0", b"\xff", b"\x1b[2J", b"../"),
    *(b"press-3", b"/etc/passwd", b"..", b" ", b"\xc2\x85", b"\xe2\x80\xa8", b"\\", b"A" * 600),
    *("İ".encode(), b"\x1c", b"CON", b"default"),
]


class _Heard:
    """What the trigger says, in place of a connection's writing half."""

    def __init__(self) -> None:
        self.said = b""

    def write(self, data: bytes) -> None:
        self.said += data

    async def drain(self) -> None:
        """Nothing holds it up."""


def _root(root: Path) -> tuple[Layout, Desk, Shelf]:
    """A root that may be asked, though nothing runs in it."""
    site.init(root)
    text = "sinks: {mqtt: null}\nserve: {enabled: true, new_cameras: true}\n"
    (root / "conf" / "markwatch.yaml").write_text(text)
    layout, loaded, clock = Layout(root), settings.load(root), Clock()
    with Ledger(layout.ledger, clock, root=layout.root):
        pass
    opened = Ledger(layout.ledger, clock, root=layout.root)
    shelf = Shelf(layout, opened.snapshot, Clocks(clock, clock.tick))
    return layout, Desk(layout, loaded), shelf


def speaking(root: Path) -> Callable[[bytes], str]:
    layout, desk, shelf = _root(root)
    options = TriggerOptions(wait_seconds=0.001, recent_seconds=0, idle_seconds=5)
    trigger = Trigger(options, "st", desk, shelf, Health(Clock().tick, 60.0))

    async def converse(data: bytes) -> bytes:
        desk.open(asyncio.get_running_loop())
        reader, heard = asyncio.StreamReader(limit=options.max_line_bytes), _Heard()
        reader.feed_data(data)
        reader.feed_eof()
        await trigger._converse(reader, heard)  # type: ignore[arg-type]
        return heard.said

    def run(data: bytes) -> str:
        said = asyncio.run(converse(data)).decode()
        assert said == "" or said.endswith("\r\n")
        answers = said.split("\r\n")[:-1]
        for each in answers:
            assert each.startswith(("OK", "NG ")) and each == printable(each), each
        assert len(answers) <= data.count(b"\n") + 1
        outside = {path.name for path in root.iterdir()} - {"conf", "data", ".gitignore"}
        assert not outside, outside
        shutil.rmtree(layout.state / "expected", ignore_errors=True)
        if not answers:
            return "nothing said"
        return "OK" if any(each.startswith("OK") for each in answers) else "NG"

    return run


JSON = [
    b'{"image": "%s", "camera": "press-3", "wait": true}' % base64.b64encode(PNG),
    b'{"image": "data:image/png;base64,%s", "expected": "KX1"}' % base64.b64encode(PNG),
    b'{"image": "%s", "name": "a/b.png", "recipe": null, "wait": null}' % base64.b64encode(PNG),
]
JSON_WORDS = [
    *(b'"image"', b'"camera"', b"null", b"true", b"1e999", b"NaN", b'"\\ud800"', b"\xff", b"\0"),
    *(b"{", b"}", b"[" * 300, b'":"', b"data:;base64,", b"====", b"A" * 70, b"\\u0000"),
]


def from_json(data: bytes) -> str:
    try:
        given, picture = _from_json(data)
    except RefusedError as refused:
        _is_fit_to_be_said(refused)
        return "refused"
    assert isinstance(picture, bytes) and given.image
    return "a picture"


def _part(name: bytes, content: bytes, more: bytes = b"") -> bytes:
    head = b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n' % (BOUNDARY, name, more)
    return head + content + b"\r\n"


END = b"--%s--\r\n" % BOUNDARY
FORMS = [
    _part(b"image", PNG, b'; filename="part.png"') + _part(b"camera", b"press-3") + END,
    _part(b"wait", b"true") + _part(b"image", PNG, b"; filename*=UTF-8''%C3%84.png") + END,
    _part(b"expected", b"KX1") + _part(b"image", PNG, b'; filename="../../a.png"') + END,
]
FORM_WORDS = [
    *(
        b"--edge\r\n",
        b"--edge--",
        b"\r\n\r\n",
        b"\r\n",
        b"filename=",
        b"name=",
        b"filename*=",
        b'"',
    ),
    *(b"Content-Type: image/png", b"Content-Transfer-Encoding: base64", b"\0", b"\xff" * 8),
    *(b"charset=utf-7", b"/../", b"A" * 5000, b"wait", b"maybe", b";"),
]


def from_form(root: Path) -> Callable[[bytes], str]:
    _, desk, _ = _root(root)
    kind = b"multipart/form-data; boundary=" + BOUNDARY
    options = ServeOptions(max_upload_megabytes=0.001)

    async def submit(data: bytes) -> str:
        sent = iter([{"type": "http.request", "body": data, "more_body": False}])

        async def receive() -> dict[str, object]:
            return next(sent)

        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind)], "app": 1}
        async with _given(Request(scope, receive), options) as given:
            fields = given.fields
            name = desk.camera(fields.camera, fields.recipe)
            desk.expected(fields.expected)
            ticket = desk.ticket(name, given.name or fields.name, head_of(given.content))
            assert ticket.image == Path(ticket.image).name and len(ticket.image.encode()) < 200
        return "a picture"

    def run(data: bytes) -> str:
        try:
            return asyncio.run(submit(data))
        except RefusedError as refused:
            _is_fit_to_be_said(refused)
            return "refused"
        except HTTPException as refused:
            assert refused.status_code == 400
            return "no form"

    return run


def _is_fit_to_be_said(refused: RefusedError) -> None:
    """An answer is sent, whatever it quotes of what was asked."""
    assert 400 <= refused.status < 500
    f"{refused.detail} {refused.remedy}".encode()


TEMPLATES = [
    b"{code}\r\n",
    b"{seq:08d};{status:>6};{confidence:.2f}",
    b"<{{{read_at:%Y-%m-%d %H:%M}}}|{expected}|{characters}>",
    b"STATUS? {page} {margin:+.3e} {cord}",
]
TEMPLATE_WORDS = [
    *(b"{", b"}", b"{{", b"}}", b"{code}", b"{seq:", b":", b"!r", b".", b"[0]", b"__class__", b"0"),
    *(b"99999999999999999999", b"999999999", b"%", b"%s", b"%Y", b"\0", b"\xff", b"e", b"x", b"n"),
    *(b"c", b",", b"_", b"^", b"=", b"#", b"z", b"{read_at:", b"{characters:", b"\xc3\xa4"),
]
ROWS = [make_row(7, code="00123"), make_row(8, status="failed", code=None)]


def template(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    try:
        known = checked(text)
    except ValueError:
        return "refused"
    ended = "filled"
    for row in ROWS:
        try:
            said = fill(known, row)
        except ValueError:
            ended = "does not fit"
            continue
        assert len(said) < MOST_TEMPLATE + 100 * len(known)
        value_of(known, row)
    return ended
