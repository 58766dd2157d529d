"""The job of the issue at its real size: as many records of 1 KB as COUNT says, through mock brokers that keep 5 MB a partition, so in waves."""
import os
import pathlib
import subprocess
import time

from flow import Failure, kill

# Records of a wave and topic: 15 partitions of 5 MB hold about 70,000, and what was not read yet must not fall out.
WAVE = 50_000


# MB that the process may have resident: its limit of 256 MiB and 15 %.
MEMORY = 308


class Feeder:
    """Writes one topic as fast as the job takes it."""

    def __init__(self, cluster, topic, group, rows, factor, nulls):
        self.topic, self.rows, self.written, self.extra = topic, rows, 0, 0
        self.writer = self.tool(cluster, "feed", topic, rows, factor, nulls)
        self.watcher = self.tool(cluster, "watch", group, topic)

    @staticmethod
    def tool(cluster, *words):
        return subprocess.Popen([cluster.tool, cluster.servers, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def ask(tool, text):
        tool.stdin.write(text + "\n")
        tool.stdin.flush()
        return tool.stdout.readline().strip()

    def tell(self, text):
        if self.ask(self.writer, text) != "ok": raise Failure(f"{self.topic} cannot be written")

    def write(self, count):
        end = min(self.rows, self.written + count)
        if end > self.written: self.tell(f"{self.written} {end}")
        self.written = end

    def poison(self):
        self.tell("poison")
        self.extra += 15

    def waiting(self):
        """Records that the job has not made durable yet."""
        return self.written + self.extra - int(self.ask(self.watcher, "?"))

    def close(self):
        for tool in (self.writer, self.watcher):
            tool.stdin.close()
            tool.wait(timeout=30)


class Watch:
    """The job's process, looked at every few seconds: epochs, memory, time of the processor, and what its files need."""

    def __init__(self, project):
        self.project, self.longest, self.next, self.started = project, 0, 0, 0
        self.memory = self.processor = self.disk = 0
        self.run = project.start()

    def look(self):
        if self.run.poll() is not None: raise Failure(f"terrace run ended with {self.run.returncode}: {self.project.log_end()}")
        if time.monotonic() < self.next: return
        counters = self.project.status()["jobs"][0]["counters"]
        if "lastEpoch" in counters: self.longest = max(self.longest, counters["lastEpoch"]["millis"])
        self.disk = max(self.disk, sum(used(path) for path in self.project.folder.glob("warehouse/**/*")))
        self.next = time.monotonic() + 3

    def note(self):
        """What the process has used, before it ends."""
        lines = pathlib.Path(f"/proc/{self.run.pid}/status").read_text().splitlines()
        self.memory = max(self.memory, next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000)
        times = pathlib.Path(f"/proc/{self.run.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        self.processor += sum(map(int, times)) / os.sysconf("SC_CLK_TCK")

    def kill(self):
        self.note()
        kill(self.run)
        self.run, self.next = self.project.start(), time.monotonic() + 2

    def stop(self):
        self.note()
        return self.project.stop(self.run)


def used(path):
    """Bytes of a file, which may have gone meanwhile."""
    try: return path.lstat().st_size
    except FileNotFoundError: return 0


def trouble(world, cluster):
    """What brokers do while nobody writes: one is away for a second, leaders move, requests fail."""
    choice, broker = world.random.random(), world.random.randint(1, cluster.brokers)
    if choice < 0.4:
        cluster.tell("down", broker)
        time.sleep(1)
        cluster.tell("up", broker)
    elif choice < 0.7:
        for partition in range(15): cluster.tell("leader", world.random.choice(["left_1kb", "right_1kb", "joined"]), partition, broker)
    else:
        cluster.tell("errors", world.random.choice([0, 1, 2, 3]), world.random.choice([5, 6, 7]), 3)


def feed(world, cluster, feeders, watch, rows, wave, kills):
    """Right ten times faster than left, then the rest of left; poison in each partition, trouble and kill -9 on the way."""
    left, right = feeders
    moments = [2 * rows * (i + 1) // (kills + 1) for i in range(kills)]
    poisons = [rows // 2, rows]
    while left.written < rows or right.written < rows:
        watch.look()
        if right.waiting() < wave // 5:
            left.write(wave // 10 if right.written < rows else 0)
            right.write(wave)
        if right.written == rows and left.waiting() < wave // 5: left.write(wave)
        written = left.written + right.written
        if poisons and written >= poisons[0]:
            poisons.pop(0)
            for feeder in feeders: feeder.poison()
        if kills and world.random.random() < 0.05: trouble(world, cluster)
        if moments and written >= moments[0]:
            moments.pop(0)
            watch.kill()
        time.sleep(0.05)


def job_at_size(world, cluster, job, settings, wave=WAVE, kills=0, once=True):
    """Every pair once, or at least once, in a fixed memory, whatever happens to brokers and process on the way."""
    for topic in ("left_1kb", "right_1kb", "joined"): cluster.topic(topic, 15)
    rows = 10_000 * (world.rounds or 30)
    project = world.project("size")
    project.write("terrace.conf", settings)
    project.spec("dwd.joined", job)
    project.apply()
    feeders = [Feeder(cluster, "left_1kb", "g1", rows, 7_919, 10), Feeder(cluster, "right_1kb", "g2", rows, 1, 0)]
    follower = Feeder.tool(cluster, "follow", "joined", rows)
    started, watch = time.monotonic(), Watch(project)
    try:
        feed(world, cluster, feeders, watch, rows, wave, kills)
        want = rows - (rows + 9) // 10
        project.wait("all records", lambda: watch.look() or all(feeder.waiting() <= 0 for feeder in feeders), 600)
        project.wait("the join's rows", lambda: watch.look() or cluster.count("joined") >= want, 120)
        took = time.monotonic() - started
        skipped = sum(s["skipped"] for s in project.status()["jobs"][0]["counters"]["sources"].values())
        code = watch.stop()
        world.checks.that("terrace run ends with 0 on SIGTERM", code == 0, f"exit {code}: {project.log_end()}")
        total, distinct, found, wrong = map(int, follower.communicate("", timeout=120)[0].split())
        ids = rows * (rows - 1) // 2 - 10 * ((rows + 9) // 10) * ((rows + 9) // 10 - 1) // 2
        world.checks.equal(f"pairs of {rows} records a side, their sum, and those that are none", [distinct, found, wrong], [want, ids, 0])
        if once: world.checks.equal("each of them once", total, want)
        if not kills: world.checks.equal("poison records are passed over and counted", skipped, sum(feeder.extra for feeder in feeders))
        world.checks.that("memory stays near its limit of 256 MB", watch.memory < MEMORY, f"{watch.memory:.0f} MB")
        world.checks.that("no epoch grows long", watch.longest < 60_000, f"{watch.longest} ms")
        world.checks.note(f"{2 * rows} records of 1 KB, {kills} kills, {total - distinct} pairs again: {took:.0f} s, of which terrace used {watch.processor:.0f} s of one core "
                          f"({2 * rows / max(watch.processor, 0.01):.0f} records/s); peak {watch.memory:.0f} MB, the longest epoch seen {watch.longest / 1000:.1f} s, "
                          f"its files {watch.disk / 1e6:.0f} MB")
    finally:
        for process in (watch.run, follower):
            if process.poll() is None: process.kill()
        for feeder in feeders: feeder.close()
