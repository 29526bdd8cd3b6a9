"""`markwatch recipe new`: what it proposes, refuses and writes, on the shipped sample pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import invoke
from made import picture
from PIL import Image

from flows.commands import reading
from flows.configuration import recipes, settings
from flows.configuration.settings import Layout
from stages.errors import ConfigError, ImageError
from stages.records import Report

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "data" / "samples"
CODES = {
    "labels-01.png": "MW-2048-1175",
    "labels-03.bmp": "MW-2051-0034",
    "labels-06.png": "MW-1990-4403",
    "counter-2-02.png": "019364",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A root without recipes."""
    (tmp_path / "conf" / "recipes").mkdir(parents=True)
    return tmp_path


def propose(site: Path, *arguments: str | Path):
    return invoke("recipe", "new", *map(str, arguments), "--root", str(site))


def copies(site: Path, names, change=lambda pixels: pixels) -> list[Path]:
    """Samples in the folder of a camera, changed."""
    folder = site / "cam"
    folder.mkdir(exist_ok=True)
    paths = []
    for name in names:
        pixels = np.array(Image.open(SAMPLES / name).convert("L"))
        paths.append(folder / f"{Path(name).stem}.png")
        Image.fromarray(change(pixels)).save(paths[-1])
    return paths


def read(site: Path, recipe: Path, path: Path) -> str | None:
    own = settings.load(site)
    plan = reading.recipe_of(Layout(site), str(recipe), own)
    [outcome] = reading.outcomes([path], plan, own)
    assert isinstance(outcome, Report)
    return outcome.marks[0].code


def test_new_when_pictures_are_easy_then_adds_no_step_and_writes_the_cameras_recipe(site) -> None:
    names = ["labels-01.png", "labels-03.bmp", "labels-06.png"]
    paths = copies(site, names)
    done = propose(site, *paths)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no step gains clearly" in done.stdout
    assert "half sure" in done.stdout
    recipe = site / "conf" / "recipes" / "cam.yaml"
    text = recipe.read_text()
    # three texts are not enough to hold a format to be true
    assert r"# format: '[A-Z]{2}-\d{4}-\d{4}'" in text
    assert recipes.names(Layout(site)) == ["cam"]
    assert read(site, recipe, paths[1]) == CODES["labels-03.bmp"]


def test_new_when_the_camera_hangs_upside_down_then_turns_the_picture(site) -> None:
    names = ["labels-01.png", "labels-03.bmp", "labels-06.png"]
    paths = copies(site, names[:2], lambda pixels: np.rot90(pixels, 2).copy())
    [unseen] = copies(site, names[2:], lambda pixels: np.rot90(pixels, 2).copy())
    codes = [each for name in names[:2] for each in ("--text", CODES[name])]
    recipe = site / "conf" / "recipes" / "head.yaml"
    done = propose(site, *paths, "-o", recipe, *codes)
    assert done.returncode == 0, done.stderr
    assert "hardly sure: 2 pictures show little" in done.stdout
    assert "- rotate: {degrees: 180" in recipe.read_text()
    assert read(site, recipe, unseen) == CODES["labels-06.png"]


def test_new_when_specks_cover_the_text_then_a_filter_is_kept_that_helps_unseen_pictures(
    site,
) -> None:
    def speckled(pixels: np.ndarray) -> np.ndarray:
        chance = np.random.default_rng(1).random(pixels.shape)
        return np.where(chance < 0.06, 0, np.where(chance > 0.94, 255, pixels)).astype(np.uint8)

    paths = copies(site, ["labels-01.png", "labels-03.bmp", "counter-2-02.png"], speckled)
    [unseen] = copies(site, ["labels-06.png"], speckled)
    codes = [each for path in paths for each in ("--text", _code(path))]
    done = propose(site, *paths, *codes)
    assert done.returncode == 0, done.stderr
    recipe = site / "conf" / "recipes" / "cam.yaml"
    assert "a clear gain" in recipe.read_text()
    assert read(site, recipe, unseen) == CODES["labels-06.png"]


def _code(path: Path) -> str:
    return next(code for name, code in CODES.items() if Path(name).stem == path.stem)


def test_new_when_run_twice_then_writes_the_same_bytes(site) -> None:
    [path] = copies(site, ["counter-2-02.png"])
    texts = []
    for _ in range(2):
        done = propose(site, path, "--force")
        assert done.returncode == 0, done.stderr
        texts.append((site / "conf" / "recipes" / "cam.yaml").read_bytes())
    assert "hardly sure: 1 picture shows little" in done.stdout
    assert texts[0] == texts[1]


def test_new_when_there_is_nothing_to_read_then_writes_nothing_and_says_what_to_do(site) -> None:
    paths = [picture(site / "cam" / "a.png", 128), picture(site / "cam" / "b.png", 128)]
    done = propose(site, *paths)
    assert done.returncode == ImageError.exit_code
    assert "no text is read in 2 pictures" in done.stderr
    assert "light the mark from the side" in done.stderr
    assert recipes.names(Layout(site)) == []


def test_new_when_no_code_is_read_right_then_writes_nothing(site) -> None:
    [path] = copies(site, ["counter-2-02.png"])
    done = propose(site, path, "--text", "KX204817")
    assert done.returncode == ImageError.exit_code
    assert "no code is read right" in done.stderr
    assert recipes.names(Layout(site)) == []


def test_new_when_a_picture_is_damaged_then_goes_on_with_the_others_and_says_so(site) -> None:
    [path] = copies(site, ["counter-2-02.png"])
    (site / "cam" / "z.png").write_bytes(b"no picture")
    done = propose(site, site / "cam")
    assert done.returncode == ImageError.exit_code
    assert "z.png:" in done.stderr and "left out" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert read(site, site / "conf/recipes/cam.yaml", path) == "019364"


def test_new_when_all_pictures_are_damaged_then_is_refused(site) -> None:
    (site / "cam").mkdir()
    (site / "cam" / "z.png").write_bytes(b"no picture")
    done = propose(site, site / "cam")
    assert done.returncode == ConfigError.exit_code
    assert "no picture could be used" in done.stderr


def test_new_when_the_recipe_is_there_then_is_refused_before_the_work(site) -> None:
    recipe = site / "conf" / "recipes" / "cam.yaml"
    recipe.write_text("description: mine\n")
    paths = copies(site, ["counter-2-02.png"])
    done = propose(site, *paths)
    assert done.returncode == ConfigError.exit_code
    assert "--force" in done.stderr
    assert recipe.read_text() == "description: mine\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.png", "b.png", "--text", "A1"], "1 times `--text` for 2 pictures"),
        (["a.png", "--text", "A1", "--labels", "l.csv"], "leave out either"),
        (["a.png", "--labels", "l.csv"], "names none of the pictures"),
        (["a.png", "-o", "cam.json"], "name it like"),
        (["a.png", "-o", "nowhere/cam.yaml"], "no such folder"),
        (["missing.png"], "no such file"),
        (["empty"], "no pictures"),
        (["a.png", "other/c.png"], "2 folders"),
    ],
)
def test_new_when_asked_for_the_impossible_then_says_the_remedy_in_one_line(
    site, monkeypatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(site)
    for name in ("a.png", "b.png", "other/c.png", "d.png"):
        picture(site / name, 128)
    (site / "empty").mkdir()
    (site / "l.csv").write_text("file,text\nd.png,A1\n")
    done = propose(site, *arguments)
    assert done.returncode == ConfigError.exit_code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_new_when_there_are_more_pictures_than_are_used_then_tests_on_the_others(site) -> None:
    [path] = copies(site, ["counter-2-02.png"])
    for number in range(7):
        shutil.copy(path, path.with_name(f"copy-{number}.png"))
    labels = site / "cam" / "labels.csv"
    names = [path.name, *(f"copy-{number}.png" for number in range(7))]
    labels.write_text("file,text\n" + "".join(f"{name},019364\n" for name in names))
    done = propose(site, site / "cam", "--labels", labels)
    assert (done.returncode, done.stderr) == (0, "")
    assert "on 2 pictures kept back from the search: default 2 right, 0 wrong; this recipe 2" in (
        done.stdout
    )
