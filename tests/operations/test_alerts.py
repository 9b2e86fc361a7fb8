"""The alerts: judged by Prometheus' own promtool, about metrics that exist, each with something
to do about it.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from conftest import Api
from prometheus_client.parser import text_string_to_metric_families

from marketplace import app
from marketplace.config.settings import ROOT
from marketplace.telemetry import metrics

FOLDER = ROOT / "deploy" / "prometheus"
PROMTOOL = shutil.which("promtool")
EXPORTERS = ("node_", "pg_", "probe_", "up")
RUNBOOK = ROOT / "deploy" / "RUNBOOK.md"


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def promtool(*words: str | Path) -> None:
    if PROMTOOL is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    done = subprocess.run([PROMTOOL, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def anchors(file: Path) -> set[str]:
    """What a link may name: the headings as GitHub and others write them."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_prometheus_takes_rules_and_example():
    promtool("check", "rules", FOLDER / "alerts.yml")
    promtool("check", "config", "--syntax-only", FOLDER / "prometheus.yml")


def test_series_that_are_wrong_alert_and_others_do_not():
    promtool("test", "rules", FOLDER / "alerts_test.yml")


def test_every_alert_was_seen_to_fire():
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    fired = {
        case["alertname"]
        for test in tests
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert {rule["alert"] for rule in rules()} == fired


def test_every_metric_of_an_alert_exists(committed: Api):
    metrics.count_request("GET", "/api/products", 200, 0.1, 0.1)
    metrics.READS.labels("primary").inc(0)
    metrics.POOL.labels("idle").set(0)
    with psycopg.connect(committed.owner_url) as conn:  # as the nightly proof leaves it
        conn.execute("INSERT INTO gauges (name, label, value) VALUES ('invariants_broken', 'x', 0)")
        conn.execute("INSERT INTO provider_states (provider) VALUES ('midtrans')")
        conn.execute(
            "INSERT INTO reconciliations (provider, day, ours, theirs) VALUES ('midtrans', current_date, 1, 1)"
        )
    committed.config.data_dir.mkdir(exist_ok=True)
    (committed.config.data_dir / "last-backup").touch()
    families = text_string_to_metric_families(committed.get("/metrics").text)
    (committed.config.data_dir / "last-backup").unlink()
    known = {sample.name for family in families for sample in family.samples}
    for rule in rules():
        used = re.findall(
            r"\b(\w+)(?=[{\[])|\b(marketplace_\w+)", re.sub(r"by \([^)]*\)", "", rule["expr"])
        )
        names = {name for pair in used for name in pair if name and not name.startswith(EXPORTERS)}
        assert names <= known, f"{rule['alert']}: {names - known}"
        assert names or rule["expr"].startswith(EXPORTERS) or "node_" in rule["expr"]


def test_labels_of_an_alert_are_those_the_code_gives():
    source = "".join(
        (ROOT / "marketplace" / f"{name}.py").read_text()
        for name in ("workflows/sign_in", "telemetry/metrics", "postgres/replicas")
    )
    for rule in rules():
        for values in re.findall(r'(?:outcome|server)=~?"([^"]+)"', rule["expr"]):
            assert all(f'"{value}"' in source for value in values.split("|")), rule["alert"]


def test_routes_that_may_be_slow_are_routes(committed: Api):
    (slow,) = (rule["expr"] for rule in rules() if rule["alert"] == "MarketplaceSlow")
    patterns = re.search(r'route!~"([^"]+)"', slow)
    assert patterns
    known = [path for path, _ in app.routes(committed.config, committed.db)] + ["none"]
    for pattern in patterns[1].split("|"):
        assert any(re.fullmatch(pattern, path) for path in known), pattern


def test_every_alert_has_words_and_a_place_in_the_runbook():
    for rule in rules():
        place, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert ROOT / place == RUNBOOK
        assert anchor in anchors(RUNBOOK), anchor
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_links_of_the_runbook_lead_somewhere():
    for target in re.findall(r"\]\(([^)]*)\)", RUNBOOK.read_text()):
        path, _, anchor = target.partition("#")
        there = (RUNBOOK.parent / path).resolve() if path else RUNBOOK
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target
