"""The set-up of training, with registries that are little programs on the PATH."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from PIL import ImageFont

from flows.training.material import fetch as material
from flows.training.material.fetch import MANIFEST, Licences, Piece, fetch, main, manifest
from stages.errors import ConfigError


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An npm that has the family `roboto-mono` alone, and an apt that has nothing."""
    package = tmp_path / "package"
    (package / "files").mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"license": "OFL-1.1"}), "utf-8")
    (package / "LICENSE").write_text("free", "utf-8")
    for style in ("300-normal", "400-normal", "400-italic", "500-normal", "700-normal"):
        path = package / "files" / f"roboto-mono-latin-{style}.woff2"
        path.write_bytes(ImageFont.load_default(20).font_bytes)
    (package / "files" / "roboto-mono-latin-900-normal.woff2").write_bytes(b"broken")
    with tarfile.open(tmp_path / "roboto-mono.tgz", "w:gz") as archive:
        archive.add(package, "package")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, script in {
        "npm": f'[ "$3" = @fontsource/roboto-mono ] && exec /bin/cp {tmp_path}/roboto-mono.tgz .',
        "apt-get": "exit 100",
        "dpkg-deb": "exit 2",
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    return tools


def test_fetch_when_a_registry_lacks_most_then_what_there_is_is_fetched_once(
    registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = dict.fromkeys(list(material.NPM)[2:3], ("roboto-mono", "no-such-family"))
    monkeypatch.setattr(material, "NPM", few)
    said: list[str] = []
    folder = tmp_path / "filled"
    pieces = fetch(folder, said.append)
    assert [Path(piece.file).name for piece in pieces] == [
        f"roboto-mono-latin-{style}.woff2"
        for style in ("300-normal", "400-italic", "400-normal", "700-normal")
    ]
    assert {piece.licence for piece in pieces} == {"OFL-1.1"}
    assert manifest(folder) == pieces
    assert (folder / "licences" / "fontsource-roboto-mono.txt").read_text("utf-8") == "free"
    assert "npm:@fontsource/no-such-family" in said[-1]
    (registry / "npm").write_text("#!/bin/sh\nexit 1\n", "utf-8")
    assert fetch(folder, said.append) == pieces


def test_main_when_nothing_can_be_fetched_then_it_says_so_in_a_line(
    registry: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(material, "NPM", {})
    assert main([str(tmp_path / "empty")]) == ConfigError.exit_code
    assert "check the network" in capsys.readouterr().err


def test_fetch_when_a_tool_is_missing_then_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="`npm` is missing"):
        fetch(tmp_path, print)


def test_manifest_when_files_went_away_then_their_rows_do_too(tmp_path: Path) -> None:
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "a.ttf").touch()
    head = "kind,family,file,licence,source"
    rows = ["mono,a,fonts/a.ttf,OFL-1.1,npm:a", "mono,b,fonts/b.ttf,OFL-1.1,npm:b"]
    (tmp_path / MANIFEST).write_text("\n".join([head, *rows]), "utf-8")
    assert manifest(tmp_path) == [Piece("mono", "a", "fonts/a.ttf", "OFL-1.1", "npm:a")]


def test_manifest_when_it_is_something_else_then_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(ConfigError, match="not a manifest"):
        manifest(tmp_path)


def test_licences_when_the_notice_is_by_file_then_each_file_has_its_own(tmp_path: Path) -> None:
    notice = tmp_path / "pack.txt"
    notice.write_text(
        "Format: 1.0\n\nFiles: *\nLicense: GPL-2+\n\n"
        "Files:\n base/textures/tex_a/steel.jpg\n base/textures/tex_b/*\n"
        "License: CC-BY-SA-3.0\n Text of it.\n",
        "utf-8",
    )
    licences = Licences(notice)
    assert licences.of("textures/tex_a/steel.jpg") == "CC-BY-SA-3.0"
    assert licences.of("textures/tex_c/iron.jpg") == "GPL-2+"


def test_licences_when_the_notice_is_free_text_then_the_common_licence_is_found(
    tmp_path: Path,
) -> None:
    notice = tmp_path / "pack.txt"
    notice.write_text("You find it in /usr/share/common-licenses/GPL-2.\n", "utf-8")
    assert Licences(notice).of("any.ttf") == "GPL-2"
    assert Licences(tmp_path / "none.txt").of("any.ttf") == "see licences/none.txt"
