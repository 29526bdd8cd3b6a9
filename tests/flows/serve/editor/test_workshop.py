"""Recipes over HTTP: opened, checked, tried on a code; and what must never come of it."""

from __future__ import annotations

import json
import time

import pytest
from workshops import OWN, camera, check, file, opened, preview

from flows.configuration import recipes, settings
from stages.errors import ConfigError

__all__ = ["camera"]


def test_open_when_a_camera_has_a_recipe_then_text_values_and_tag(station, camera):
    answer = station.get(f"/v1/recipes/{camera}")
    found = answer.json()
    assert found["text"] == OWN and found["own"] == ["description", "fields"]
    assert found["values"]["fields"][0]["map"] == {"format": "G\\d{3}"}
    assert answer.headers["etag"] == f'"{found["tag"]}"' and found["complaints"] == []
    assert found["recipe"].startswith(f"{camera}@")


def test_open_when_a_camera_has_none_then_it_begins_empty_over_the_default(station):
    found = opened(station, "brand-new")
    assert (found["text"], found["tag"], found["own"]) == ("", None, [])
    assert found["values"]["fields"] == [{"detect": {"use": "everything"}}]


def test_cameras_when_listed_then_each_says_whose_recipe_it_reads_by(station, camera):
    station.plant.inbox("only-a-folder")
    found = station.get("/v1/recipes").json()
    assert found["writable"] is True
    by_name = {each["camera"]: each["recipe"] for each in found["cameras"]}
    assert by_name[camera] == camera and by_name["only-a-folder"] == "default"


def test_forms_when_asked_then_they_are_the_models_own(station):
    found = station.get("/v1/recipe-forms").json()
    crop = found["operations"]["crop"]["schema"]["properties"]["left_px"]
    assert crop == {
        "default": 0,
        "description": "columns to cut off at the left",
        "minimum": 0,
        "title": "Left Px",
        "type": "integer",
    }
    assert {"margin", "use_dilation"} & set(found["detectors"]["neural"]["schema"]["properties"])
    assert found["field"]["properties"]["threshold"]["maximum"] == 1
    assert "secret" not in json.dumps(found)


def test_check_when_a_draft_is_wrong_then_the_complaints_of_check_with_line_and_place(
    station, camera, tmp_path
):
    text = OWN.replace("use: everything", "use: everything, margin: -1") + "thresold: 1\n"
    found = check(station, camera, text)
    assert [(each["line"], each["loc"]) for each in found["complaints"]] == [
        (5, ["fields", 0, "detect", "margin"]),
        (7, ["thresold"]),
    ]
    file(station, camera).write_text(text)
    layout = station.plant.layout
    found_site = settings.load(layout.root)
    with pytest.raises(ConfigError) as caught:
        recipes.load(layout, camera, found_site.recogniser)
    assert str(caught.value) == "\n".join(each["text"] for each in found["complaints"])


def test_check_when_the_form_changed_values_then_they_stand_in_the_text_beside_its_comments(
    station, camera
):
    values = opened(station, camera)["values"]
    values["preprocess"] = [{"crop": {"box_px": [0, 0, 20, 10]}}]
    values["fields"][0]["threshold"] = 0.9
    found = check(station, camera, OWN, values)
    assert found["text"] == OWN.replace(
        "fields:", "preprocess:\n  - crop: {box_px: [0, 0, 20, 10]}\nfields:"
    ).replace("'G\\d{3}'}\n", "'G\\d{3}'}\n    threshold: 0.9\n")
    assert found["comments_kept"] and found["complaints"] == []


def test_check_when_a_value_is_the_defaults_then_the_text_does_not_repeat_it(station):
    values = opened(station, "press-9")["values"]
    assert check(station, "press-9", "", {**values, "description": "x"})["text"] == (
        "description: x\n"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is not valid YAML"),
        ("[1, 2]", "must be a mapping"),
        ("!!python/object/apply:os.system ['true']", "must be a mapping"),
        ("description: !!python/name:os.system", "is not valid YAML"),
        ("&a [*a]", ""),
        ('description: "\\ud800"', "half of a character"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n"
                for old, new in zip("abcdefghi", "bcdefghij", strict=True)
            ),
            "more than 100000 values",
        ),
        ("[" * 5000, "is not valid YAML"),
        ("fields: [{map: {format: '((((a{64}){64}){64}){64})'}}]", "format"),
    ],
    ids=["cut", "list", "tag", "name", "itself", "surrogate", "bomb", "deep", "format"],
)
def test_check_when_the_text_is_hostile_then_a_complaint_and_the_station_goes_on(
    station, camera, text, words
):
    begin = time.monotonic()
    found = check(station, camera, text)
    assert found["complaints"] and words in found["complaints"][0]["text"]
    assert time.monotonic() - begin < 30
    assert station.get("/readyz").status == 200


@pytest.mark.parametrize(
    ("text", "loc"),
    [
        (
            "fields: [{map: {lexicon: {file: /etc/passwd}}}]",
            ["fields", 0, "map", "lexicon", "file"],
        ),
        (
            "fields: [{map: {lexicon: {file: ../../../x.csv}}}]",
            ["fields", 0, "map", "lexicon", "file"],
        ),
        (
            "fields: [{recogniser: {use: trocr, checkpoint: /tmp/theirs}}]",
            ["fields", 0, "recogniser", "checkpoint"],
        ),
    ],
)
def test_check_when_a_draft_names_files_of_this_machine_then_refused_unread(
    station, camera, text, loc
):
    (complaint,) = check(station, camera, text)["complaints"]
    assert complaint["loc"] == loc and "outside of conf/recipes" in complaint["words"]
    assert "root" not in complaint["words"]
    answer = preview(station, camera, text, "brought-none")
    assert answer.status == 404


def test_try_when_a_code_is_typed_then_whether_it_may_be_one_and_why_not(station, camera):
    def ask(code, text):
        body = {"text": text, "code": code, "field": 0}
        return station.ask("POST", f"/v1/recipes/{camera}/try", json=body).json()

    assert ask("G123", OWN) | {"pattern": ""} == {
        "accepted": True,
        "cleaned": "G123",
        "reason": None,
        "pattern": "",
        "segments": {},
        "checks": [],
    }
    assert ask("G1", OWN)["reason"] == "after 'G1' still comes [0-9]"
    assert ask("H1", OWN)["reason"] == "at the beginning comes G, not 'H'".replace("G", "[G]")
    luhn = OWN.replace(
        "{format: 'G\\d{3}'}", "{format: '(?P<n>\\d{4})', check_digits: [{scheme: luhn}]}"
    )
    assert ask("18 28", luhn)["cleaned"] == "1828"
    right, wrong = ask("1826", luhn), ask("1827", luhn)
    assert right["accepted"] and right["checks"] == [{"scheme": "luhn", "complaint": None}]
    assert (
        not wrong["accepted"] and "luhn" in wrong["reason"] and right["segments"] == {"n": "1826"}
    )
    assert "error" in ask("1", "a: [")


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "..%2f..%2fx", "a%20b", ".x", "x.example", "a%00", "a" * 90, "con%5cx"]
)
def test_name_when_it_is_no_cameras_then_refused_and_nothing_is_written_anywhere(station, name):
    before = sorted(station.plant.root.rglob("*.yaml"))
    for method, path, body in (
        ("GET", "", None),
        ("PUT", "", {"text": ""}),
        ("POST", "/check", {"text": ""}),
        ("GET", "/earlier/20261121T000000.000000Z", None),
    ):
        options = {} if body is None else {"json": body}
        headers = {"If-None-Match": "*"}
        answer = station.ask(method, f"/v1/recipes/{name}{path}", headers=headers, **options)
        assert answer.status in (404, 405, 422), (method, path, answer.body)
    assert sorted(station.plant.root.rglob("*.yaml")) == before


def test_earlier_when_the_moment_is_none_then_404(station, camera):
    for stamp in ("..%2f..%2fdefault", "x", "20261121T000000.000000Z"):
        assert station.get(f"/v1/recipes/{camera}/earlier/{stamp}").status == 404


def test_file_when_it_cannot_be_edited_then_said_why(station, camera, tmp_path):
    file(station, camera).write_bytes(b"description: \xff\n")
    assert station.get(f"/v1/recipes/{camera}").json()["error"] == "not-editable"
    file(station, camera).unlink()
    (tmp_path / "theirs.yaml").write_text(OWN)
    file(station, camera).symlink_to(tmp_path / "theirs.yaml")
    answer = station.get(f"/v1/recipes/{camera}")
    assert answer.status == 409 and "symbolic link" in answer.json()["detail"]
    file(station, camera).unlink()


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", {"Content-Type": "application/json"}, 422),
        (b"{", {"Content-Type": "application/json"}, 422),
        (b'{"text": ""}', {"Content-Type": "text/plain"}, 415),
        (b'{"text": "' + b"x" * 70_000 + b'"}', {"Content-Type": "application/json"}, 422),
        (b'{"text": "' + b"x" * 600_000 + b'"}', {"Content-Type": "application/json"}, 413),
        (b'{"text": "", "more": 1}', {"Content-Type": "application/json"}, 422),
    ],
)
def test_body_when_it_is_not_as_described_then_refused(station, camera, body, headers, status):
    answer = station.ask("POST", f"/v1/recipes/{camera}/check", body=body, headers=headers)
    assert answer.status == status and set(answer.json()) == {"error", "detail", "remedy"}
