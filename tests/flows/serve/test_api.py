"""Pictures over HTTP: the same inbox and ledger as everything else, and the reading back."""

from __future__ import annotations

import io
import time

import jsonschema
import pytest
from PIL import Image
from stations import b64, png

from flows import vocabulary
from flows.serve.examples import READING


def test_post_when_json_waits_then_record_with_code_and_cord_as_the_ledger_has_it(station):
    answer = station.post(image=b64(png(101)), camera="press-3", expected="G101", wait=True)
    assert answer.status == 200, answer.body
    told = answer.json()
    assert (told["state"], told["code"], told["cord"]) == ("reported", "G101", [0, 0, 64, 32])
    (row,) = told["readings"]
    assert (row["expected"], row["match"], row["camera"]) == ("G101", True, "press-3")
    assert station.plant.query(f"SELECT record FROM rows WHERE seq={row['seq']}") == [
        (vocabulary.to_json(vocabulary.from_json(station.get(f"/v1/readings/{row['id']}").body)),)
    ]
    jsonschema.validate(row, vocabulary.json_schema())


def test_post_when_form_does_not_wait_then_202_follow_and_the_row_comes(station):
    fields = {"image": ("../../etc/Teil 7.PNG", png(102)), "camera": "press-3", "expected": "X"}
    answer = station.ask("POST", "/v1/images", fields=fields)
    assert answer.status == 202, answer.body
    told = answer.json()
    assert told["state"] == "accepted" and told["image"].startswith("Teil_7.")
    follow = told["follow"]
    station.plant.wait_until(lambda: station.get(follow).json()["readings"], "the reading")
    (row,) = station.get(follow).json()["readings"]
    assert (row["status"], row["candidate"], row["expected"]) == ("mismatch", "G102", "X")


def test_post_when_two_have_one_name_then_both_are_read(station):
    told = [
        station.post(image=b64(png(level)), name="part.png", wait=True).json()
        for level in (103, 104)
    ]
    assert [one["code"] for one in told] == ["G103", "G104"]
    assert told[0]["image"] != told[1]["image"]


def test_post_when_picture_is_damaged_then_record_says_failed(station):
    answer = station.post(image=b64(png(105)[:-40]), wait=True)
    assert answer.status == 200
    assert (answer.json()["code"], answer.json()["readings"][0]["status"]) == (None, "failed")


@pytest.mark.parametrize("image", ["data:image/png;base64," + b64(png(106)), b64(png(106))])
def test_post_when_data_url_or_plain_base64_then_both_are_read(station, image):
    assert station.post(image=image, recipe="press-3", wait=True).json()["code"] == "G106"


def test_readings_when_paged_both_ways_then_each_row_once_and_filters_hold(station):
    for level in (111, 112, 113):
        station.post(image=b64(png(level)), camera="press-3", wait=True)
    everything = station.get("/v1/readings?limit=1000").json()["readings"]
    seqs = [row["seq"] for row in everything]
    assert seqs == sorted(set(seqs)) and len(seqs) >= 3
    for order in ("oldest", "newest"):
        walked, cursor = [], ""
        while cursor is not None:
            page = station.get(f"/v1/readings?limit=2&order={order}{cursor}").json()
            walked += [row["seq"] for row in page["readings"]]
            cursor = page["next"] and f"&cursor={page['next']}"
        assert walked == (seqs if order == "oldest" else seqs[::-1])
    kept = station.get("/v1/readings?camera=press-3&status=read&code=G112").json()["readings"]
    assert [row["code"] for row in kept] == ["G112"]
    assert station.get("/v1/readings?from=1h&to=2099-01-01").json()["readings"]
    assert station.get("/v1/readings?to=1h").json() == {"readings": [], "next": None}


def test_picture_and_crop_when_asked_for_then_the_bytes_as_sent_and_the_line_cut_out(station):
    sent = png(114)
    (row,) = station.post(image=b64(sent), name="é<b>.png", wait=True).json()["readings"]
    key = row["id"]
    station.plant.wait_until(
        lambda: station.get(f"/v1/readings/{key}/picture").status == 200, "filed"
    )
    picture = station.get(f"/v1/readings/{key}/picture")
    assert picture.body == sent and picture.headers["content-type"] == "image/png"
    assert "<" not in picture.headers["content-disposition"]
    crop = station.get(f"/v1/readings/{key}/crop")
    assert Image.open(io.BytesIO(crop.body)).size == (64, 32)
    assert crop.headers["content-type"] == "image/png"


def test_crop_when_nothing_was_found_then_404_says_where_to_look(station):
    (row,) = station.post(image=b64(png(1)[:-40]), wait=True).json()["readings"]
    answer = station.get(f"/v1/readings/{row['id']}/crop")
    assert answer.status == 404 and "/picture" in answer.json()["remedy"]


def test_status_and_metrics_when_read_then_the_ledgers_own_figures(station):
    station.post(image=b64(png(115)), camera="press-3", wait=True)
    figures = []

    def settled() -> bool:
        figures[:] = [station.get("/v1/status").json()]
        return figures[0]["sinks"]["csv"]["pending"] == 0 and not figures[0]["images"]["in_work"]

    station.plant.wait_until(settled, "everything delivered")
    (found,) = figures
    assert found["balanced"] and found["ready"] and found["last_scan_age_seconds"]["folder"] < 30
    metrics = station.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    lines = metrics.body.decode().splitlines()
    read = found["readings"]["press-3"]["read"]
    assert f'markwatch_readings_total{{camera="press-3",status="read"}} {float(read)}' in lines
    assert 'markwatch_sink_backlog_rows{sink="csv"} 0.0' in lines
    assert "markwatch_balanced 1.0" in lines
    timed = [line for line in lines if line.startswith("markwatch_stage_seconds_count")]
    assert any('stage="decode"' in line for line in timed)
    assert any('route="/v1/images",status="200"' in line for line in lines)


def test_example_when_compared_with_the_vocabulary_then_valid():
    jsonschema.validate(READING, vocabulary.json_schema())
    assert tuple(READING) == vocabulary.NAMES


def test_openapi_when_read_then_every_route_refers_to_what_is_there(station):
    described = station.get("/openapi.json").json()
    schemas = described["components"]["schemas"]
    used = set()
    for path in described["paths"].values():
        for operation in path.values():
            for answer in operation["responses"].values():
                media = answer["content"].get("application/json", {})
                for example in media.get("examples", {}).values():
                    name = example["$ref"].rsplit("/", 1)[1]
                    value = described["components"]["examples"][name]["value"]
                    wanted = {**media["schema"], "components": {"schemas": schemas}}
                    jsonschema.validate(value, wanted)
                    used.add(name)
    assert used == set(described["components"]["examples"])


def test_answers_when_a_connection_is_kept_then_none_waits_for_an_acknowledgement(station):
    took = []
    for _ in range(20):
        begun = time.perf_counter()
        assert station.get("/healthz").status == 200
        took.append(time.perf_counter() - begun)
    # Nagle's algorithm and delayed acknowledgements would make every one of them 40 ms.
    assert min(took) < 0.03
