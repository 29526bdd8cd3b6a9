"""A marker and a server beside the files: what the marker answers goes on to the server."""

from __future__ import annotations

import csv

from commands import invoke
from machines import Answer, Asked, Marker, RestServer
from made import picture

SETTINGS = """
cluster: {{scheduler: threads, threads: 2}}
recogniser: {{use: scripted}}
sinks:
  mqtt: null
  parquet: {{max_seconds: 0.2}}
  csv: {{after: marker}}
  marker: {{use: device, host: 127.0.0.1, port: {port}}}
  mes:
    use: http
    after: marker
    url: {url}
    body: {{machine_name: lathe 4, old_part_name: "{{code}}", new_part_name: "{{reply}}"}}
"""
EVERYTHING = "fields: [{detect: {use: everything}}]\n"


def test_watch_when_a_marker_answers_then_server_and_csv_get_its_reply_and_audit_agrees(plant):
    def refuse_one(asked: Asked) -> Answer:
        known = asked.body and asked.json["old_part_name"].endswith("2")
        return Answer(409, b"known") if known else Answer(201)

    marker = Marker(lambda line: [f"OP20-{line}\r\n".encode()])
    with marker, RestServer(refuse_one) as server:
        plant.configure(SETTINGS.format(port=marker.port, url=server.url), recipe=EVERYTHING)
        for number in range(5):
            picture(plant.inbox("cam") / f"{number}.png", 100 + number)
        plant.start("--once")
        assert plant.finish() == 0
        check = invoke("check", "--root", str(plant.root))
        told = {asked.json["old_part_name"]: asked.json for asked in server.asked if asked.body}
    codes = {row["code"] for row in plant.parquet_rows()}
    assert len(codes) == 5
    assert set(marker.told) == codes
    assert told.keys() == codes
    for code in codes:
        expected = {"old_part_name": code, "new_part_name": f"OP20-{code}"}
        assert told[code] == {"machine_name": "lathe 4", **expected}
    (file,) = plant.layout.root.glob("data/out/csv/*.csv")
    with file.open(encoding="utf-8", newline="") as lines:
        replies = {row["code"]: row["reply"] for row in csv.DictReader(lines)}
    assert replies == {code: f"OP20-{code}" for code in codes}
    assert f"device 127.0.0.1:{marker.port}, connected" in check.stdout
    assert f"POST {server.url}, reachable" in check.stdout
    audit = invoke("audit", "--root", str(plant.root))
    assert audit.returncode == 0, audit.stdout
    (dead,) = (line for line in audit.stdout.splitlines() if line.split()[:1] == ["mes"])
    assert dead.split()[2:] == ["5", "4", "1", "0"]
