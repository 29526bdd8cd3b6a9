"""Recipes over HTTP: saved whole, by who has seen what they replace."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from plants import wait_until
from stations import b64, png
from workshops import OWN, camera, file, opened, save

from flows.commands import site
from flows.configuration import recipes, settings
from flows.configuration.settings import Layout
from flows.serve.desk import Desk
from flows.serve.editor.workshop import Workshop, may_write
from flows.serve.options import ServeOptions
from flows.serve.problems import RefusedError

__all__ = ["camera"]


def test_save_when_the_tag_is_of_what_is_there_then_written_and_the_old_one_kept(station, camera):
    tag = opened(station, camera)["tag"]
    text = OWN.replace("plates\n", "steel plates\n", 1)
    answer = save(station, camera, text, tag)
    assert answer.status == 200, answer.body
    found = answer.json()
    assert file(station, camera).read_text() == text
    assert opened(station, camera)["tag"] == found["tag"] != tag
    earlier = station.get(f"/v1/recipes/{camera}/earlier").json()["earlier"]
    assert earlier == [found["kept"]]
    old = station.get(f"/v1/recipes/{camera}/earlier/{found['kept']}").json()
    assert old == {"text": OWN}
    kept = station.plant.layout.recipes / "history" / f"{camera}-{found['kept']}.yaml"
    assert kept.read_text() == OWN
    assert list(station.plant.layout.recipes.glob("*.part")) == []


def test_save_when_done_then_the_next_picture_is_read_by_it(station, camera):
    image = b64(png(101))
    before = station.post(image=image, camera=camera, wait=True).json()["readings"][0]
    assert before["status"] == "read"
    found = save(
        station, camera, OWN.replace("G\\d{3}", "H\\d{3}"), opened(station, camera)["tag"]
    ).json()

    def read():
        return station.post(image=image, camera=camera, wait=True).json()["readings"][0]

    wait_until(lambda: read()["recipe"] == found["recipe"], "the recipe taken up", 30)
    assert read()["status"] == "mismatch"


def test_save_when_somebody_wrote_meanwhile_then_412_and_nothing_is_changed(station, camera):
    tag = opened(station, camera)["tag"]
    assert save(station, camera, OWN + "# first\n", tag).status == 200
    second = save(station, camera, OWN + "# second\n", tag)
    assert second.status == 412 and second.json()["error"] == "changed-meanwhile"
    assert file(station, camera).read_text() == OWN + "# first\n"
    assert save(station, camera, OWN, None).status == 412
    file(station, camera).unlink()
    gone = save(station, camera, OWN, tag)
    assert gone.status == 412 and "was removed" in gone.json()["detail"]
    assert save(station, camera, OWN, None).status == 200
    unseen = station.ask("PUT", f"/v1/recipes/{camera}", json={"text": OWN})
    assert unseen.status == 428


def test_save_when_eight_have_the_same_tag_then_one_is_written_and_seven_are_told(station, camera):
    tag = opened(station, camera)["tag"]
    texts = [f"{OWN}# {number}\n" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda text: save(station, camera, text, tag), texts))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 7
    winner = next(text for text, answer in zip(texts, answers, strict=True) if answer.status == 200)
    assert file(station, camera).read_text() == winner


def test_save_when_it_has_a_mistake_then_422_and_nothing_is_written(station, camera):
    tag = opened(station, camera)["tag"]
    answer = save(station, camera, OWN + "thresold: 1\n", tag)
    assert answer.status == 422 and f"{camera}.yaml:7 thresold" in answer.json()["detail"]
    assert file(station, camera).read_text() == OWN
    assert station.get(f"/v1/recipes/{camera}/earlier").json() == {"earlier": []}


def test_save_when_the_default_would_break_another_recipe_then_that_one_is_named(station, camera):
    file(station, camera).write_text("preprocess: [{crop: {box_px: [0, 0, 600, 10]}}]\n")
    default = opened(station, "default")
    text = default["text"].replace("use: everything", "use: everything, within_px: [0, 0, 9, 50]")
    answer = save(station, "default", text, default["tag"])
    file(station, camera).unlink()
    assert answer.status == 422 and f"{camera}.yaml" in answer.json()["detail"]


def test_rights_when_not_on_loopback_then_only_where_the_settings_say_so(tmp_path):
    assert may_write(ServeOptions()) and not may_write(ServeOptions(editor=False))
    far = {"host": "192.168.0.4", "token_file": "t"}
    assert not may_write(ServeOptions(**far)) and may_write(ServeOptions(**far, editor=True))


def test_save_when_the_editor_is_off_then_403_before_anything_is_looked_at(tmp_path):
    site.init(tmp_path / "root")
    layout = Layout(tmp_path / "root")
    found = settings.load(layout.root)
    found = found.model_copy(update={"serve": found.serve.model_copy(update={"editor": False})})
    workshop = Workshop(layout, found, Desk(layout, found), lambda: None)
    with pytest.raises(RefusedError) as caught:
        asyncio.run(workshop.save("press-3", "a: [", None))
    assert caught.value.status == 403 and "serve.editor" in caught.value.remedy
    workshop.close()


def test_layout_when_recipes_are_listed_then_history_is_none_of_them(station, camera):
    tag = opened(station, camera)["tag"]
    assert save(station, camera, OWN + "# x\n", tag).status == 200
    names = recipes.names(Layout(station.plant.root))
    assert camera in names and all("history" not in name for name in names)
