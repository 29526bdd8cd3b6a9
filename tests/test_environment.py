"""One set of versions: pyproject.toml, the lock, environment.yml and the built wheel agree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
USERS_PACKAGES = {
    "watchdog",
    "dask",
    "opencv-python-headless",
    "transformers",
    "torch",
    "pillow",
    "numpy",
    "pyarrow",
    "paho-mqtt",
    "pytest",
}


def requirements() -> list[Requirement]:
    every = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
    return [Requirement(text) for text in every]


def locked() -> dict[str, str]:
    pins = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        name, equals, pin = line.partition("==")
        assert equals, f"requirements.lock: {line!r} is no pin"
        pins[canonicalize_name(name)] = pin
    return pins


def test_lock_when_read_then_every_dependency_is_pinned_within_its_bounds():
    pins = locked()
    for requirement in requirements():
        pin = pins.get(canonicalize_name(requirement.name))
        if requirement.marker is None or requirement.marker.evaluate():
            assert pin, f"{requirement.name} is not in requirements.lock: make lock"
        assert pin is None or requirement.specifier.contains(pin), requirement


def test_lock_when_read_then_holds_all_that_its_packages_need_and_no_second_opencv():
    pins = locked()
    assert "opencv-python" not in pins
    for name, pin in pins.items():
        assert version(name).split("+")[0] == pin, f"{name} differs from the lock: make setup"


def test_dependencies_when_listed_then_hold_what_the_project_is_built_on():
    names = {canonicalize_name(requirement.name) for requirement in requirements()}
    assert names >= USERS_PACKAGES


def test_environment_when_read_then_names_the_same_packages_and_versions():
    content = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert f"python{PROJECT['requires-python']}" in content["dependencies"]
    (pip,) = [item["pip"] for item in content["dependencies"] if isinstance(item, dict)]
    pins = locked()
    wanted = {
        f"{name}=={pins[name]}"
        for name in (canonicalize_name(requirement.name) for requirement in requirements())
        if name in pins
    }
    given = {item for item in pip if not item.startswith("-")}
    assert given == wanted, f"environment.yml should list: {sorted(wanted)}"
    assert "--editable ." in pip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    source = folder / "source"
    source.mkdir()
    for name in ("flows", "stages", "pyproject.toml", "README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    (source / "data").mkdir()
    (source / "data" / "models").symlink_to(ROOT / "data" / "models")
    subprocess.run([*command, "--wheel-dir", folder, source], check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_wheel_when_built_then_holds_every_module_of_both_packages(wheel):
    held = {name for name in wheel.namelist() if name.endswith(".py")}
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in ("flows", "stages")
        for path in (ROOT / package).rglob("*.py")
    }
    assert held == wanted


def test_wheel_when_built_then_holds_the_pages_and_all_that_they_load(wheel):
    folder = ROOT / "flows" / "serve" / "static"
    shipped = {path.relative_to(ROOT).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"flows/serve/static/live.html", "flows/serve/static/parts/dom.js"} <= shipped
    held = {name for name in wheel.namelist() if name.startswith("flows/serve/static/")}
    assert held == shipped


def test_wheel_when_built_then_holds_the_shipped_checkpoint(wheel):
    folder = ROOT / "data" / "models"
    shipped = {path.relative_to(folder).as_posix() for path in folder.glob("*/*")}
    assert shipped <= {name.removeprefix("stages/models/") for name in wheel.namelist()}
    assert any(name.endswith("model.safetensors") for name in shipped)


def test_wheel_when_installed_away_from_a_checkout_then_the_embedded_model_is_found(
    wheel, tmp_path
):
    wheel.extractall(tmp_path / "site")
    script = "from stages.recognisers import checkpoint as c; print(c.locate(c.EMBEDDED, False))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()) == tmp_path / "site" / "stages" / "models" / "trocr-marks"


def test_entry_points_when_declared_then_every_one_loads():
    for group in PROJECT["entry-points"]:
        for point in entry_points(group=group):
            assert point.load().Options


def test_readme_when_it_gives_make_commands_then_the_makefile_has_them():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z]+)\b", (ROOT / "README.md").read_text()))
    assert {"demo", "test", "run"} <= named <= targets
