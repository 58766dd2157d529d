"""Formats through `terrace run` on files: the malformed messages with each policy, dead letters read again while processes die, packed files, exports, web services with TLS, and secrets that nobody finds."""
import bz2
import collections
import gzip
import http.server
import json
import lzma
import os
import pathlib
import ssl
import subprocess
import threading
import time
import zlib

from flow import Failure, clip, kill

HERE = pathlib.Path(__file__).resolve().parent
MESSAGES = HERE.parent / "Fixtures/malformed/messages.jsonl"
GOOD = {
    "json": '{"id":77,"name":"g"}', "csv": "77,g", "debezium-json": '{"before":null,"after":{"id":77,"name":"g"},"op":"c"}',
    "canal-json": '{"database":"d","table":"t","data":[{"id":"77","name":"g"}],"type":"INSERT"}',
    "maxwell-json": '{"data":{"id":77,"name":"g"},"type":"insert"}', "ogg-json": '{"after":{"id":77,"name":"g"},"op_type":"I"}',
}


def content(case):
    if "hex" in case: return bytes.fromhex(case["hex"])
    if "make" in case:
        n = case["make"]["bytes"]
        return {"string": '{"id":1,"name":"' + "x" * n + '"}', "unended": '{"id":1,"name":"' + "x" * n, "other": '{"id":1,"other":"' + "x" * n + '"}',
                "deep": '{"id":1,"other":' + "[" * n + "]" * n + "}", "deepobject": '{"id":1,"other":' + '{"a":' * n + "1" + "}" * n + "}",
                "deepname": '{"id":1,"name":' + "[" * n + "]" * n + "}", "brackets": "[" * n + "]" * n}[case["make"]["kind"]].encode()
    return case["value"].encode()


def spec(groups, policy):
    """One job whose sources are all groups of cases that can share a table."""
    text, selects = "", []
    for number, (format, options, columns, key) in enumerate(groups):
        fields = ", ".join(f"`{name}` {type}{' NOT NULL' if name in key else ''}" for name, type in columns)
        with_key = f", PRIMARY KEY ({', '.join(key)}) NOT ENFORCED" if key else ""
        all_options = {"connector": "filesystem", "path": f"in/{number}", "format": format, "on-error": policy, **dict(options)}
        text += f"CREATE TEMPORARY TABLE s{number} ({fields}{with_key}) WITH (" + ", ".join(f"'{k}'='{v}'" for k, v in all_options.items()) + ");\n"
        # All columns are read: what nobody reads is not looked at.
        none = " AND ".join(f"`{name}` IS NULL" for name, _ in columns)
        selects.append(f"SELECT {number} AS g, CASE WHEN {none} THEN 0 ELSE 1 END AS x FROM s{number}")
    text += "CREATE TABLE ods.m (g INT NOT NULL, n BIGINT, x BIGINT, PRIMARY KEY (g) NOT ENFORCED);\n"
    text += "INSERT INTO ods.m SELECT g, count(*) AS n, sum(x) AS x FROM (" + " UNION ALL ".join(selects) + ") GROUP BY g;\n"
    return text


def malformed_messages(world):
    """Each message between two good ones in a file of its own: dead letters have its bytes and reason, neighbours are rows; skip and fail do what they say."""
    cases = [json.loads(line) for line in MESSAGES.read_text().splitlines()]
    cases = [c for c in cases if not c.get("message_only") and b"\n" not in content(c)]
    groups = collections.OrderedDict()
    for case in cases:
        changes = case["format"].endswith("-json")
        columns = tuple(map(tuple, case.get("columns", [["id", "BIGINT"], ["name", "STRING"]])))
        key = tuple(case.get("key", ["id"] if changes else []))
        groups.setdefault((case["format"], tuple(case.get("options", {}).items()), columns, key), []).append(case)
    for policy in ("dead-letter", "skip"):
        project = world.project(f"malformed-{policy}")
        project.write("terrace.conf", "layers: ods\nmemory.limit: 512mb\n")
        dead, files = [], 0
        for number, ((format, _, columns, _), members) in enumerate(groups.items()):
            for case in members:
                good = GOOD.get(format) if columns[1:] == (("name", "STRING"),) else None
                lines = [content(case)] if good is None else [good.encode(), content(case), good.encode()]
                project.add(f"in/{number}/{case['case'][:3]}.txt", b"\n".join(lines) + b"\n")
                files += 1
                if "dead" in case: dead.append((f"{case['case'][:3]}.txt:{1 if good is None else 2}", case))
        project.spec("ods.m", spec(list(groups), policy))
        project.once()
        state = project.status()["jobs"][0]
        skipped = sum(s["skipped"] for s in state["counters"]["sources"].values())
        if policy == "skip":
            world.checks.equal("records refused are counted", skipped, len(dead))
            world.checks.that("and none is kept", state.get("deadLetters") is None, clip(state.get("deadLetters")))
            continue
        listed = [json.loads(line) for line in project.call("dlq", "list", "ods.m", "--limit", "0", "-f", "json").stdout.splitlines()]
        found = {row["place"]: row for row in listed}
        world.checks.equal("dead letters are those expected", sorted(found), sorted(place for place, _ in dead))
        for place, case in dead:
            row = found.get(place, {"reason": "", "record": ""})
            world.checks.that(f"{case['case']}: its reason", case["dead"] in row["reason"], clip(row["reason"]))
            raw = content(case)
            if len(raw) < 1000 and raw.isascii() and b"\0" not in raw and all(b >= 32 for b in raw):
                world.checks.equal(f"{case['case']}: its bytes", row["record"], raw.decode())
        world.checks.equal("the counter", state["counters"]["deadLetters"], len(dead))
        letters = state["deadLetters"]
        world.checks.that("status has a sample of a reason", letters["count"] == len(dead) and all(r["sample"]["text"] for r in letters["reasons"]), clip(letters))
        counts = {row["g"]: row["n"] for row in project.rows("SELECT g, n FROM ods.m")}
        for number, ((format, _, columns, _), members) in enumerate(groups.items()):
            if format not in ("json", "csv"): continue
            neighbours = 2 * len(members) if columns[1:] == (("name", "STRING"),) else 0
            world.checks.equal(f"rows of {format} {columns}", counts.get(number, 0), neighbours + sum(len(c.get("rows", [])) for c in members))
        world.checks.note(f"{files} messages, {len(dead)} dead letters, {sum(counts.values())} rows")
    project = world.project("malformed-fail")
    project.write("terrace.conf", "layers: ods\n")
    project.add("in/0/a.json", '{"id":1,"name":"a"}\n{bad\n')
    project.spec("ods.m", spec([("json", (), (("id", "BIGINT"), ("name", "STRING")), ())], "fail"))
    done = project.once(code=None)
    world.checks.that("policy fail ends the job and names the place", done.returncode == 1 and "a.json" in done.stderr and "line=2" in done.stderr or "a.json:2" in done.stderr, clip(done.stderr))


def letters_once(world):
    """Dead letters that fit after a change of the spec go through the job exactly once, while runs are killed at random."""
    project = world.project("letters")
    project.write("terrace.conf", "layers: ods\n")
    count = 400 if world.quick else 5000
    def write(missing):
        project.spec("ods.t", f"""CREATE TEMPORARY TABLE src (id BIGINT, v BIGINT) WITH ('connector'='filesystem','path'='in','format'='json','json.fail-on-missing-field'='{missing}','source.monitor-interval'='100 ms');
CREATE TABLE ods.t (k BIGINT NOT NULL, n BIGINT, s BIGINT, v BIGINT, PRIMARY KEY (k) NOT ENFORCED);
INSERT INTO ods.t SELECT id % 10 AS k, count(*) AS n, sum(id) AS s, count(v) AS v FROM src GROUP BY id % 10;
""")
    write("true")
    project.add("in/a.json", "".join(json.dumps({"id": i, "v": i} if i % 4 else {"id": i}) + "\n" for i in range(count)) + "{bad\n")
    project.once()
    world.checks.equal("letters at first", project.status()["jobs"][0]["deadLetters"]["count"], count // 4 + 1)
    write("false")
    project.apply()
    told = json.loads(project.call("dlq", "replay", "ods.t", "--dry-run", "-f", "json").stdout)
    world.checks.equal("what a dry run says", (told["rows"], told["refused"]), (count // 4, 1))
    project.call("dlq", "replay", "ods.t")
    for turn in range(3 if world.quick else 20):
        run = project.start()
        try: run.wait(timeout=world.random.uniform(0.02, 0.5))
        except subprocess.TimeoutExpired: pass
        kill(run)
        project.add(f"in/b{turn}.json", json.dumps({"id": 0, "v": 1}) + "\n")
        if turn % 2: project.call("dlq", "replay", "ods.t")
    project.once()
    turns = 3 if world.quick else 20
    rows = {row["k"]: (row["n"], row["s"], row["v"]) for row in project.rows("SELECT * FROM ods.t")}
    want = {k: (len(range(k, count, 10)) + (turns if k == 0 else 0), sum(range(k, count, 10)), sum(1 for i in range(k, count, 10) if i % 4) + (turns if k == 0 else 0)) for k in range(10)}
    world.checks.equal("each letter once", rows, want)
    world.checks.equal("what is no row stays", project.status()["jobs"][0]["deadLetters"]["count"], 1)


def secrets_stay_secret(world):
    """Canary secrets in every place where an option may hold one; no command prints them and no file of the warehouse holds them."""
    project = world.project("secrets")
    canaries = [f"cAnArY{number:02d}x{world.random.randrange(10**12)}" for number in range(20)]
    c = iter(canaries)
    environment = {"CANARY_A": next(c), "CANARY_B": next(c), "CANARY_C": next(c)}
    project.write("secret/a.txt", next(c) + "\n")
    project.write("secret/b.txt", next(c))
    project.write("terrace.conf", "layers: ods\n")
    options = {
        "properties.sasl.password": next(c), "properties.ssl.key.password": "${env:CANARY_A}", "properties.ssl.keystore.password": "${file:secret/a.txt}",
        "properties.sasl.jaas.config": f'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="{next(c)}";',
        "properties.sasl.oauthbearer.client.secret": next(c), "properties.ssl.keystore.certificate.secretx": next(c),
    }
    kafka = ",\n".join(f"  '{k}' = '{v}'" for k, v in options.items())
    project.spec("ods.k", f"""-- password = '{next(c)}'
CREATE TEMPORARY TABLE src (id BIGINT) WITH (
  'connector' = 'kafka', 'topic' = 't', 'properties.bootstrap.servers' = '127.0.0.1:1', 'properties.group.id' = 'g', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json',
{kafka}
);
CREATE TABLE ods.k (id BIGINT);
INSERT INTO ods.k SELECT id FROM src /*+ OPTIONS('properties.ssl.truststore.password' = '{next(c)}') */;
""")
    project.spec("ods.h", f"""CREATE TEMPORARY TABLE gen (id BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '3');
CREATE TEMPORARY TABLE out (id BIGINT) WITH (
  'connector' = 'http', 'url' = 'http://user:{next(c)}@127.0.0.1:1/x?token={next(c)}', 'format' = 'json', 'http.header.Authorization' = 'Bearer {next(c)}',
  'http.header.X-Api-Key' = '${{file:secret/b.txt}}', 'http.header.X-Token' = '${{env:CANARY_B}}', 'http.header.Cookie' = 'a=${{env:CANARY_C}}', 'http.retries' = '0', 'http.timeout' = '1 s'
);
INSERT INTO out SELECT id FROM gen;
""")
    words = [["plan"], ["apply"], ["run", "--once"], ["run", "--once", "-f", "json"], ["status"], ["status", "-f", "json"], ["lineage"], ["plan"], ["dlq", "list"],
             ["dlq", "replay", "ods.k", "--dry-run"], ["catalog", "tables"], ["table", "list", "ods"], ["repair"]]
    printed = ""
    for command in words:
        try: done = project.call(*command, code=None, environment=environment, timeout=30)
        except subprocess.TimeoutExpired:
            continue
        printed += f"\n$ {' '.join(command)}\n{done.stdout}\n{done.stderr}"
    sql = f"""CREATE TEMPORARY TABLE x (id BIGINT) WITH ('connector' = 'kafka', 'topic' = 't', 'properties.bootstrap.servers' = '127.0.0.1:1', 'format' = 'json', 'properties.sasl.password' = '{next(c)}');
SHOW CREATE TABLE x;
EXPLAIN SELECT * FROM x /*+ OPTIONS('properties.ssl.key.password' = '{next(c)}') */;
CREATE TEMPORARY TABLE y (id BIGINT) WITH ('connector' = 'kafka', 'secret.of.nobody' = '{next(c)}');
"""
    for text in (sql, sql + "SELECT * FROM y;", f"CREATE TEMPORARY TABLE z (id BIGINT) WITH ('password' = '{next(c)}' broken"):
        project.write("x.sql", text)
        done = project.call("sql", "--file", str(project.folder / "x.sql"), code=None, environment=environment)
        printed += f"\n$ sql\n{done.stdout}\n{done.stderr}"
    for canary in canaries:
        world.checks.that(f"{canary[:8]} is not printed", canary not in printed, clip(next((line for line in printed.splitlines() if canary in line), "")))
        for file in project.folder.rglob("*"):
            if not file.is_file() or "layers" in file.parts or "secret" in file.parts or file.name == "x.sql": continue
            if canary.encode() in file.read_bytes(): world.checks.that(f"{canary[:8]} is not stored", False, str(file))
    world.checks.that("something was printed", len(printed) > 1000, clip(printed))


def packed_files(world):
    """Files of every packing, of one member and of several, are read; a job with another packing says which."""
    project = world.project("packed")
    project.write("terrace.conf", "layers: ods\n")
    lines = [json.dumps({"id": i, "v": "x" * (i % 50)}) + "\n" for i in range(3000)]
    packers = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "deflate": zlib.compress}
    for ending, pack in packers.items():
        project.add(f"in/a.json.{ending}", pack("".join(lines).encode()))
        project.add(f"in/b.json.{ending}", b"".join(pack("".join(lines[i:i + 100]).encode()) for i in range(0, 3000, 100)))
    source = "CREATE TEMPORARY TABLE src (id BIGINT, v STRING, f STRING METADATA FROM 'file.name') WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json');\n"
    project.spec("ods.t", source + "CREATE TABLE ods.t (id BIGINT, v STRING, f STRING);\nINSERT INTO ods.t SELECT id, v, f FROM src;\n")
    project.once()
    found = {row["f"]: (row["n"], row["s"], row["l"]) for row in project.rows("SELECT f, COUNT(*) AS n, SUM(id) AS s, SUM(CHAR_LENGTH(v)) AS l FROM ods.t GROUP BY f")}
    want = (3000, sum(range(3000)), sum(i % 50 for i in range(3000)))
    world.checks.equal("rows of each file", found, {f"{name}.json.{ending}": want for name in "ab" for ending in packers})
    project.add("in/c.json.lz4", b"\x04\x22\x4d\x18 and more\n")
    done = project.once(code=None)
    world.checks.that("another packing is named", done.returncode == 1 and "not supported: files packed with lz4" in done.stderr and "c.json.lz4" in done.stderr, clip(done.stderr))


def exports_fit_imports(world):
    """What `terrace export table` writes as CSV and JSON, `terrace table import` reads as the same rows."""
    project = world.project("exports")
    columns = "id INT, s STRING, b BYTES, a ARRAY<STRING>, r ROW<x INT, y STRING>, m MAP<STRING, INT>, d DECIMAL(10, 2), t TIMESTAMP(3), z TIMESTAMP_LTZ(3)"
    project.write("a.sql", f"""CREATE DATABASE d; CREATE TABLE d.t ({columns}) WITH ('bucket' = '-1');
INSERT INTO d.t SELECT 1, 'a,"b"', X'00ff', ARRAY['x;y', 'z'], ROW(1, 'q'), MAP['k', 1], 1.50, TIMESTAMP '2024-01-01 10:00:00.123', TO_TIMESTAMP_LTZ(1704103200000, 3);
INSERT INTO d.t SELECT 2, '', CAST(NULL AS BYTES), CAST(NULL AS ARRAY<STRING>), CAST(NULL AS ROW<x INT, y STRING>), CAST(NULL AS MAP<STRING, INT>), CAST(NULL AS DECIMAL(10, 2)), CAST(NULL AS TIMESTAMP(3)), CAST(NULL AS TIMESTAMP_LTZ(3));
INSERT INTO d.t (id) VALUES (3);""")
    project.call("sql", "--file", project.folder / "a.sql")
    rows = project.rows("SELECT * FROM d.t ORDER BY id")
    for format in ("csv", "json"):
        project.call("export", "table", "d.t", "--to", project.folder / format, "--format", format)
        files = sorted((project.folder / format).glob("part-*"))
        if format == "csv": world.checks.equal("names in the first line", files[0].read_text().splitlines()[0], "id,s,b,a,r,m,d,t,z")
        project.write("b.sql", f"CREATE TABLE d.{format}_back ({columns}) WITH ('bucket' = '-1');")
        project.call("sql", "--file", project.folder / "b.sql")
        project.call("table", "import", f"d.{format}_back", *files)
        world.checks.equal(f"rows that came back from {format}", project.rows(f"SELECT * FROM d.{format}_back ORDER BY id"), rows)


def web_services_are_trusted(world):
    """A certificate that nobody signed ends the job at once with the reason; with its file rows arrive."""
    project = world.project("tls")
    project.write("terrace.conf", "layers: ods\n")
    key, certificate = project.folder / "key.pem", project.folder / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    taken = []
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            taken.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        def log_message(self, *words): pass
    def served():
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server
    def spec(server, more=""):
        project.spec("ods.h", f"""CREATE TEMPORARY TABLE gen (id BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '3', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '3');
CREATE TEMPORARY TABLE out (id BIGINT) WITH ('connector' = 'http', 'url' = 'https://localhost:{server.server_address[1]}/x', 'format' = 'json', 'http.retries' = '0'{more});
INSERT INTO out SELECT id FROM gen;
""")
    trust = ", 'sslrootcert' = 'certificate.pem'"
    server = served()
    try:
        spec(server)
        began = time.monotonic()
        done = project.once(code=None)
        world.checks.that("an untrusted certificate", done.returncode == 1 and "certificate is not trusted" in done.stderr and "sslrootcert" in done.stderr, clip(done.stderr))
        world.checks.that("is told at once", time.monotonic() - began < 20, time.monotonic() - began)
        spec(server, trust)
        project.once()
        world.checks.equal("rows that arrived", b"".join(taken).decode().split(), ['{"id":1}', '{"id":2}', '{"id":3}'])
    finally:
        server.shutdown()


TESTS = [malformed_messages, letters_once, packed_files, exports_fit_imports, web_services_are_trusted, secrets_stay_secret]
