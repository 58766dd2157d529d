"""Kafka through librdkafka's mock brokers, in a process of their own: the mock keeps no transactions, so what a transaction hides is proven
by Tests/WarehouseTests/JobRedoTests; docs/kafka.md says what else the mock cannot show.
"""
import collections
import json
import pathlib
import shutil
import subprocess
import time

from flow import Failure, clip, kill

HERE = pathlib.Path(__file__).resolve().parent


class Cluster:
    """Mock brokers, and a tool that writes and reads topics without Terrace."""

    def __init__(self, scratch, brokers=3):
        folder = pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("mockkafka", "kafkatool"):
            subprocess.run([shutil.which("gcc") or "clang", "-O2", "-o", folder / name, HERE / f"kafka/{name}.c", "-lrdkafka"], check=True)
        self.tool, self.brokers = folder / "kafkatool", brokers
        self.process = subprocess.Popen([folder / "mockkafka", str(brokers)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.servers = self.process.stdout.readline().split()[1]

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok": raise Failure(f"mock brokers: {' '.join(map(str, words))}: {answer}")

    def topic(self, name, partitions): self.tell("topic", name, partitions)

    def call(self, *words, lines=None):
        done = subprocess.run([self.tool, self.servers, *map(str, words)], input=lines, capture_output=True, text=True, timeout=300)
        if done.returncode: raise Failure(f"kafkatool {' '.join(map(str, words))}: {clip(done.stderr)}")
        return done.stdout

    def produce(self, topic, records):
        """Records: (partition, key or None, value or None for a tombstone[, time in milliseconds])."""
        def text(value): return "-" if value is None else value.replace("\n", "\\n").replace("\t", "\\t")
        lines = ["\t".join([str(r[0]), text(r[1]), text(r[2]), *map(str, r[3:])]) for r in records]
        self.call("produce", topic, lines="".join(line + "\n" for line in lines))

    def consume(self, topic):
        """(partition, offset, key, value) of all that is there."""
        def value(text): return None if text == "-" else text.replace("\\n", "\n").replace("\\t", "\t")
        found = []
        for line in self.call("consume", topic).splitlines():
            partition, offset, key, text = line.split("\t")
            found.append((int(partition), int(offset), value(key), value(text)))
        return found

    def count(self, topic): return sum(int(line.split("\t")[1]) for line in self.call("ends", topic).splitlines())

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


COLUMNS = """name STRING, id INTEGER, name1 STRING, num_dou DOUBLE, num_float DOUBLE, num_int INTEGER, stringmessages STRING,
  cloud_wise_proc_time AS proctime()"""


def issue_job(servers, sink=""):
    """The job of the issue as it is written, but for the servers' names."""
    def source(name, topic, group):
        return f"""CREATE TABLE {name} (
  {COLUMNS}
) WITH (
  'connector' = 'kafka-0.11', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{servers}',
  'properties.max.poll.records' = '5000', 'properties.group.id' = '{group}',
  'format' = 'json', 'json.ignore-parse-errors' = 'true', 'scan.startup.mode' = 'earliest-offset'
);
"""
    return source("kafka01", "left_1kb", "g1") + source("kafka02", "right_1kb", "g2") + f"""CREATE TABLE kafka03 (name STRING, id INTEGER) WITH (
  'connector' = 'kafka-0.11', 'topic' = 'joined', 'properties.bootstrap.servers' = '{servers}',
  'properties.acks' = '1', 'properties.retries' = '3', 'properties.batch.size' = '16384', 'properties.linger.ms' = '30',
  'properties.buffer.memory' = '33554432', 'json.ignore-parse-errors' = 'true', 'format' = 'json'{sink}
);
INSERT INTO kafka03
  SELECT b.name AS name, a.id AS id FROM kafka01 AS a INNER JOIN kafka02 AS b ON a.id = b.id WHERE a.name1 IS NOT NULL;
"""


SETTINGS = """layers: dwd
memory.limit: 256 mb
execution.checkpointing.interval: 1 s
execution.checkpointing.timeout: 10 min
execution.checkpointing.tolerable-failed-checkpoints: 3
heartbeat.timeout: 50 s
parallelism.default: 15
taskmanager.numberOfTaskSlots: 15
"""


def record(random, number, name1=True):
    return json.dumps({"name": f"n{number}", "id": number, "name1": f"m{number}" if name1 else None, "num_dou": number / 7, "num_float": 0.5,
                       "num_int": number % 100, "stringmessages": "x" * random.randint(700, 900)})


class Sides:
    """What the two topics hold, and what their join must be."""

    def __init__(self, world, cluster, rows):
        self.random, self.cluster, self.rows = world.random, cluster, rows
        self.left, self.right = collections.Counter(), collections.Counter()
        self.offsets = collections.Counter()

    def feed(self, topic, numbers):
        records = []
        for number in numbers:
            isnull = topic == "left_1kb" and self.random.random() < 0.1
            records.append((self.random.randrange(15), None, record(self.random, number, not isnull)))
            if not isnull: (self.left if topic == "left_1kb" else self.right)[number] += 1
        self.cluster.produce(topic, records)

    def poison(self):
        """A message that is no record in each partition of both topics."""
        for topic in ("left_1kb", "right_1kb"):
            self.cluster.produce(topic, [(p, None, self.random.choice(['{"id": "no number", "name": 3', "\x00\x01", "[]", "", '{"id": {}}'])) for p in range(15)])

    @property
    def expected(self):
        return collections.Counter({(f"n{k}", k): n * self.right[k] for k, n in self.left.items() if self.right[k]})

    def joined(self):
        rows = [json.loads(value) for _, _, _, value in self.cluster.consume("joined")]
        return collections.Counter((row["name"], row["id"]) for row in rows)


def the_issues_job(world):
    """Right ten times faster than left, a poison record in each partition, at a fixed memory.limit, without any fault: every pair once."""
    cluster = Cluster(world.scratch / "cluster")
    try:
        for topic in ("left_1kb", "right_1kb", "joined"): cluster.topic(topic, 15)
        rows = 6000 if world.quick else 200_000
        sides = Sides(world, cluster, rows)
        project = world.project("issue")
        project.write("terrace.conf", SETTINGS)
        project.spec("dwd.joined", issue_job(cluster.servers))
        run = project.start()
        step = rows // 10
        for turn in range(10):
            sides.feed("right_1kb", [world.random.randrange(rows) for _ in range(step * 10 // 10 * (10 if turn == 0 else 1))])
            sides.feed("left_1kb", [world.random.randrange(rows) for _ in range(step)])
            if turn == 4: sides.poison()
        want = sides.expected
        project.wait("the join's rows", lambda: cluster.count("joined") >= want.total() or run.poll() is not None, 90)
        code = project.stop(run)
        world.checks.that("terrace run ends with 0 on SIGTERM", code == 0, f"exit {code}: {project.log_end()}")
        got = sides.joined()
        world.checks.that(f"the join in Kafka ({want.total()} rows)", got == want, f"{(want - got).total()} missing such as {clip(list(want - got)[:2])}, {(got - want).total()} too many")
        status = project.status()
        counts = [source for job in status["jobs"] for source in job["counters"]["sources"].values()]
        world.checks.that("poison records are passed over and counted", sum(s["skipped"] for s in counts) == 30, clip(counts))
    finally:
        cluster.close()


TESTS = [the_issues_job]
