"""The walk on a Dask cluster, set up as `docs/cluster.md` says: TLS, bytes, a resource."""

from __future__ import annotations

import re
from pathlib import Path

import certificates
import pytest
from crews import crew
from distributed import Security
from made import picture
from plants import run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"
FILES = {
    "dask-ca.pem": "ca.pem",
    "node.pem": "server.pem",
    "node.key": "server.key",
    "station.pem": "client.pem",
    "station.key": "client.key",
}
REST = """
recogniser: {{use: scripted, marker: '{marker}'}}
sinks: {{mqtt: null}}
log: {{level: info}}
"""
PICTURES = range(100, 140)

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Port"),
]


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found.group(1)


def placed(text: str, folder: Path) -> str:
    """The text with the page's files replaced by those of a test."""
    for name, ours in FILES.items():
        text = re.sub(rf"(?:conf/tls/)?{re.escape(name)}", str(folder / ours), text)
    return text


def prefixes(dask_scheduler) -> set[str]:
    return set(dask_scheduler.task_prefixes)


def test_watch_when_a_cluster_is_set_up_by_the_page_then_it_reads_there(plant, tmp_path):
    pki = tmp_path / "pki"
    pki.mkdir()
    certificates.make(pki)
    variables = dict(re.findall(r"(DASK_\w+)=(\S+)", placed(block("sh"), pki)))
    assert len(variables) == 7
    own = {
        f"tls_client_{end}": f"{pki}/client.{of}" for end, of in (("cert", "pem"), ("key", "key"))
    }
    security = Security(require_encryption=True, tls_ca_file=f"{pki}/ca.pem", **own)
    with crew(security=security, **variables) as workers:
        workers.join("plain", **variables)
        gpu = workers.join("gpu", "--resources", "GPU=1", **variables)
        marker = tmp_path / "reads"
        cluster = re.sub(r"tls://\S+", workers.address, placed(block("yaml"), pki))
        plant.configure(
            cluster + REST.format(marker=marker),
            recipe="fields: [{detect: {use: everything}}]\n",
        )
        for level in PICTURES:
            picture(plant.inbox(f"cam-{level % 3}") / f"{level}.png", level)
        checked = run("check", "--root", str(plant.root))
        plant.start("--once")
        assert plant.finish() == 0
        with workers.client() as client:
            shown = client.run_on_scheduler(prefixes)
    assert "2 pictures at a time, sent by their bytes" in checked.stdout
    codes = {row["code"] for row in plant.parquet_rows()}
    assert codes == {f"G{level:03d}" for level in PICTURES}
    assert {line.split()[0] for line in marker.read_text().splitlines()} == {str(gpu.pid)}
    assert {"decode", "preprocess", "detect", "recognise", "map"} <= shown
    assert not [name for name in shown if name.startswith("decode-")]
    audit = run("audit", "--root", str(plant.root))
    assert audit.returncode == 0, audit.stdout
