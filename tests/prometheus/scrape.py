"""A dashboard, an agent and a Prometheus that scrapes: what docs/monitoring.md and contrib/ promise, asked of the real thing.

Usage: scrape.py PROGRAMS PROMETHEUS WORK, three directories.
"""

import json
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

PROGRAMS, PROMETHEUS, WORK = (pathlib.Path(given) for given in sys.argv[1:])
ROOT = pathlib.Path(__file__).resolve().parents[2]
DEADLINE = 30
started = []


def start(name, *command):
    out = open(WORK / f"{name}.out", "w")
    started.append(subprocess.Popen([str(part) for part in command], stdout=out, stderr=subprocess.STDOUT))


def wait(what, look):
    """Waits until `look` answers something."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        for process in started:
            if process.poll() is not None:
                fail(f"{process.args[0]} ended with {process.returncode}")
        found = look()
        if found:
            return found
        time.sleep(0.1)
    fail(f"no {what} within {DEADLINE} s")


def fail(why):
    for log in sorted(WORK.glob("*.out")):
        print(f"--- {log.name}", log.read_text()[-3000:], sep="\n")
    sys.exit(f"FAILED: {why}")


def fetch(url, token=None, form=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = urllib.parse.urlencode(form).encode() if form else None
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


(WORK / "token").write_text("a-token-of-the-tests\n")
(WORK / "dashboard").mkdir()
(WORK / "dashboard.toml").write_text(
    f'listen = "127.0.0.1:0"\ndata_dir = "{WORK}/dashboard"\nagent_token_file = "{WORK}/token"\n'
)
dashboard = [PROGRAMS / "nixfleet-dashboard", "--config", WORK / "dashboard.toml"]
start("dashboard", *dashboard)
said = re.compile(r"listening on (http://\S+)")
base = wait("dashboard", lambda: said.search((WORK / "dashboard.out").read_text()))[1].rstrip("/")
token = subprocess.run([*map(str, dashboard), "token", "create", "prometheus", "--role", "viewer"],
                       check=True, capture_output=True, text=True).stdout.strip()
(WORK / "scrape.token").write_text(token)
(WORK / "agent.toml").write_text(
    f'url = "{base}"\ntoken_file = "{WORK}/token"\nhostname = "web1"\ninterval = 1\nstate_dir = "{WORK}/agent"\n'
    '[commands.hello]\nargv = ["/bin/echo", "hello"]\n'
)
start("agent", PROGRAMS / "nixfleet-agent", "--config", WORK / "agent.toml")


def metrics():
    status, text = fetch(f"{base}/metrics", token)
    return text if 'nixfleet_host_up{host="web1"} 1' in text else None


text = wait("host that is up", metrics)
if fetch(f"{base}/metrics")[0] != 401:
    fail("/metrics is open to everybody")
linted = subprocess.run([PROMETHEUS / "promtool", "check", "metrics"], input=text, text=True, capture_output=True)
if linted.returncode != 0 or linted.stdout.strip() or linted.stderr.strip():
    fail(f"promtool check metrics: {linted.stdout}{linted.stderr}")

# The job as contrib/ has it, with this dashboard's address and token.
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
job = (ROOT / "contrib/prometheus/scrape.yml").read_text()
for old, new in [
    ("scheme: https", "scheme: http"),
    ("scrape_interval: 30s", "scrape_interval: 1s"),
    ("/etc/prometheus/nixfleet.token", f"{WORK}/scrape.token"),
    ("fleet.example.org", base.removeprefix("http://")),
]:
    if old not in job:
        fail(f"contrib/prometheus/scrape.yml has no `{old}`")
    job = job.replace(old, new)
rules = ROOT / "contrib/prometheus/alerts.yml"
(WORK / "prometheus.yml").write_text(f'global:\n  evaluation_interval: 1s\nrule_files: ["{rules}"]\n{job}')
subprocess.run([PROMETHEUS / "promtool", "check", "config", WORK / "prometheus.yml"], check=True, stdout=subprocess.DEVNULL)
start("prometheus", PROMETHEUS / "prometheus", f"--config.file={WORK}/prometheus.yml", f"--storage.tsdb.path={WORK}/tsdb",
      f"--web.listen-address=127.0.0.1:{port}")
api = f"http://127.0.0.1:{port}/api/v1"


def query(expression):
    status, body = fetch(f"{api}/query", form={"query": expression})
    # Not there yet, or not ready.
    if status in (0, 503):
        return None
    answer = json.loads(body)
    if answer["status"] != "success":
        fail(f"{expression}: {answer.get('error')}")
    return answer["data"]["result"]


wait("scrape", lambda: query('nixfleet_host_up{host="web1"} == 1'))
wait("second scrape", lambda: query('count_over_time(nixfleet_host_up{host="web1"}[1m]) >= 3'))
for expression in [
    'up{job="nixfleet"} == 1',
    'nixfleet_hosts{status="online"} == 1',
    'nixfleet_host_info{host="web1"}',
    'increase(nixfleet_host_heartbeats_total{host="web1"}[1m]) > 0',
    'nixfleet_host_last_heartbeat_age_seconds{host="web1"} < 5',
    "histogram_quantile(0.99, rate(nixfleet_store_commit_duration_seconds_bucket[1m]))",
    "process_resident_memory_bytes{job=\"nixfleet\"} > 1e6",
]:
    wait(f"answer to {expression}", lambda: query(expression))


def loaded():
    groups = json.loads(fetch(f"{api}/rules")[1])["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    return rules if all(rule["health"] == "ok" for rule in rules) else None


rules = wait("evaluation of the rules", loaded)

# Every expression of the page for Grafana; and none of a name that nothing here has.
page = json.loads((ROOT / "contrib/grafana/nixfleet.json").read_text())
written = (ROOT / "src/dashboard/http").rglob("prometheus*")
source = "".join(path.read_text() for place in written for path in ([place] if place.is_file() else place.rglob("*.rs")))
expressions = [target["expr"] for panel in page["panels"] for target in panel.get("targets", [])]
expressions += [variable["query"] for variable in page["templating"]["list"] if variable["type"] == "query"]
expressions += [rule["query"] for rule in rules]
answered = 0
for expression in expressions:
    for variable, value in [("$job", ".*"), ("$host", ".*"), ("$__rate_interval", "1m")]:
        expression = expression.replace(variable, value)
    expression = re.sub(r"^label_values\((.*), \w+\)$", r"\1", expression)
    answered += bool(query(expression))
    for name in re.findall(r"\b(?:nixfleet|process)_\w+", expression):
        if re.sub(r"_(bucket|sum|count)$", "", name) not in source and name not in source:
            fail(f"{expression}: nothing has the name {name}")
print(f"summary: {len(rules)} rules, {len(expressions)} expressions are accepted, {answered} have answers; "
      f"{sum(not line.startswith('#') for line in text.splitlines())} series")
for process in reversed(started):
    process.terminate()
    process.wait(10)
