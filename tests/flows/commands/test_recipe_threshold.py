"""`markwatch recipe fit-threshold`: what it prints, refuses and writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import invoke
from made import picture

from flows.commands.recipe_threshold import share_of
from stages.errors import ConfigError

SAMPLES = Path(__file__).parents[3] / "data" / "samples"
SCRIPTED = """\
# of cam
fields:
  - name: code   # the only one
    detect: {use: everything}
    recogniser: {use: scripted}
    threshold: 0.5  # a guess
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A root whose recipe `cam` reads G100, G101 ... in the pictures of `pictures`."""
    recipes = tmp_path / "conf" / "recipes"
    recipes.mkdir(parents=True)
    (recipes / "cam.yaml").write_text(SCRIPTED)
    for number in range(20):
        picture(tmp_path / "pictures" / f"{number}.png", 100 + number)
    return tmp_path


def labels(site: Path, rows: list[str], head: str = "file,text") -> Path:
    path = site / "pictures" / "labels.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def right(count: int) -> list[str]:
    return [f"{number}.png,G{100 + number}" for number in range(count)]


def fit(site: Path, path: Path, *more: str, recipe: str = "cam"):
    return invoke("recipe", "fit-threshold", recipe, str(path), "--root", str(site), *more)


@pytest.mark.parametrize("text", ["0.1%", "0.1 %", " 0,1%", "0.001", "1e-3"])
def test_share_when_written_in_any_way_then_is_the_same(text: str) -> None:
    assert share_of(text) == pytest.approx(0.001)


@pytest.mark.parametrize("text", ["", "few", "0", "0%", "1", "100%", "-1%", "1%%", "nan", "0.1% x"])
def test_share_when_it_is_none_then_the_error_shows_how_to_write_one(text: str) -> None:
    with pytest.raises(ConfigError, match=r"0\.1% or 0\.001"):
        share_of(text)


def test_fit_when_labels_are_few_then_says_how_many_are_needed_and_lowers_nothing(site) -> None:
    done = fit(site, labels(site, right(20)), "--false-reads", "0.1%", "--write")
    assert (done.returncode, done.stderr) == (0, "")
    assert "NOT PROVEN" in done.stdout
    assert "2,995" in done.stdout
    assert "the threshold stays" in done.stdout
    assert (site / "conf/recipes/cam.yaml").read_text() == SCRIPTED


def test_fit_when_labels_prove_the_wish_then_writes_the_threshold_and_nothing_else(site) -> None:
    done = fit(site, labels(site, right(20)), "--false-reads", "20%", "--write")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Proven on these pictures: at most 13.9 %" in done.stdout
    assert "gives out 20 of 20, coverage 100.0 % [83.2-100.0]" in done.stdout
    assert (site / "conf/recipes/cam.yaml").read_text() == SCRIPTED


def test_fit_when_write_is_not_asked_for_then_the_file_stays(site) -> None:
    (site / "conf/recipes/cam.yaml").write_text(SCRIPTED.replace("0.5", "0.99"))
    before = (site / "conf/recipes/cam.yaml").read_bytes()
    done = fit(site, labels(site, right(20)), "--false-reads", "20%")
    assert "threshold 0.96:" in done.stdout
    assert "--write" in done.stdout
    assert (site / "conf/recipes/cam.yaml").read_bytes() == before


def test_fit_when_written_then_only_the_number_differs(site) -> None:
    path = site / "conf/recipes/cam.yaml"
    path.write_text(SCRIPTED.replace("0.5", "0.99"))
    done = fit(site, labels(site, right(20)), "--false-reads", "20%", "--write")
    assert done.returncode == 0
    assert path.read_text() == SCRIPTED.replace("0.5", "0.96")


def test_fit_when_the_surest_code_is_wrong_then_refuses_and_says_what_to_do(site) -> None:
    rows = [*right(3), "3.png,G999"]
    done = fit(site, labels(site, rows), "--false-reads", "1%", "--write")
    assert done.returncode == ConfigError.exit_code
    assert "no threshold of code keeps the false reads at 1 %" in done.stderr
    assert "format" in done.stderr
    assert (site / "conf/recipes/cam.yaml").read_text() == SCRIPTED


def test_fit_when_a_label_is_empty_then_a_code_in_that_picture_is_a_false_read(site) -> None:
    done = fit(site, labels(site, [*right(3), "3.png,"]), "--false-reads", "50%")
    assert "gives out 4 of 4" in done.stdout
    assert "1 wrong" in done.stdout


def test_fit_when_a_recipe_has_several_fields_then_each_has_its_own_threshold(site) -> None:
    path = site / "conf/recipes/cam.yaml"
    second = SCRIPTED.partition("fields:\n")[2].replace("name: code", "name: lot")
    path.write_text(SCRIPTED + second.replace("0.5", "0.99"))
    rows = [f"{row},{field}" for row in right(20) for field in ("code", "lot")]
    own = labels(site, rows, "file,text,field")
    done = fit(site, own, "--false-reads", "20%", "--write")
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_text() == SCRIPTED + second.replace("0.5", "0.96")


@pytest.mark.parametrize(
    ("head", "row", "words"),
    [
        ("file,text", "0.png,G100", "add a column `field`"),
        ("file,text,field", "0.png,G100,serial", "no field is called 'serial'"),
    ],
)
def test_fit_when_a_label_has_no_field_of_the_recipe_then_says_where(
    site, head: str, row: str, words: str
) -> None:
    second = SCRIPTED.partition("fields:\n")[2].replace("name: code", "name: lot")
    (site / "conf/recipes/cam.yaml").write_text(SCRIPTED + second)
    done = fit(site, labels(site, [row], head), "--false-reads", "1%")
    assert done.returncode == ConfigError.exit_code
    assert "labels.csv:2" in done.stderr
    assert words in done.stderr


def test_fit_when_the_file_has_no_fields_then_says_so_before_the_work(site) -> None:
    (site / "conf/recipes/default.yaml").write_text("description: none\n")
    done = fit(site, labels(site, right(1)), "--false-reads", "1%", "--write", recipe="default")
    assert done.returncode == ConfigError.exit_code
    assert "has no `fields`" in done.stderr


def test_fit_when_a_picture_is_damaged_then_goes_on_without_it_and_says_so(site) -> None:
    (site / "pictures" / "0.png").write_bytes(b"no picture")
    done = fit(site, labels(site, right(3)), "--false-reads", "90%")
    assert done.returncode != 0
    assert "labels.csv:2: 0.png:" in done.stderr
    assert "gives out 2 of 2" in done.stdout


def test_fit_when_read_by_the_embedded_model_then_counts_what_that_threshold_gives_out(
    tmp_path: Path,
) -> None:
    rows = [
        row.split(",")
        for row in (SAMPLES / "expected.csv").read_text().splitlines()
        if row.startswith("castings")
    ]
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(["file,text", *(f"{SAMPLES / r[0]},{r[2]}" for r in rows)]) + "\n")
    done = invoke("recipe", "fit-threshold", "castings", str(path), "--false-reads", "60%")
    assert (done.returncode, done.stderr) == (0, "")
    [line] = [line for line in done.stdout.splitlines() if line.startswith("  fit")]
    threshold = float(line.split()[2].rstrip(":"))
    given = int(line.partition("gives out ")[2].split()[0])
    recipe = tmp_path / "castings.yaml"
    shipped = (SAMPLES.parents[1] / "conf/recipes/castings.yaml").read_text()
    recipe.write_text(f"{shipped}    threshold: {threshold}\n")
    seen = invoke("read", *(str(SAMPLES / r[0]) for r in rows), "--recipe", str(recipe), "--json")
    assert seen.stdout.count('"status":"read"') == given > 0
