"""The job of the issue at its real size: as many records of 1 KB as COUNT says, through mock brokers that keep 5 MB a partition, so in waves."""
import pathlib
import subprocess
import time

from flow import Failure

# Records of a wave and topic: 15 partitions of 5 MB hold about 70,000, and what was not read yet must not fall out.
WAVE = 50_000


# MB that the process may have resident: its limit of 256 MiB and 15 %.
MEMORY = 308


class Feeder:
    """Writes one topic as fast as the job takes it."""

    def __init__(self, cluster, topic, group, rows, factor, nulls):
        self.cluster, self.topic, self.group, self.rows, self.written, self.extra = cluster, topic, group, rows, 0, 0
        self.process = subprocess.Popen([cluster.tool, cluster.servers, "feed", topic, str(rows), str(factor), str(nulls)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        if self.process.stdout.readline().strip() != "ok": raise Failure(f"{self.topic} cannot be written")

    def write(self, count):
        end = min(self.rows, self.written + count)
        if end > self.written: self.tell(f"{self.written} {end}")
        self.written = end

    def poison(self):
        self.tell("poison")
        self.extra += 15

    def waiting(self):
        """Records that the job has not made durable yet."""
        offsets = [int(line.split("\t")[1]) for line in self.cluster.call("committed", self.group, self.topic).splitlines()]
        return self.written + self.extra - sum(max(offset, 0) for offset in offsets)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


class Epochs:
    """The epochs of a job, looked at every few seconds."""

    def __init__(self, project): self.project, self.longest, self.number, self.next = project, 0, 0, 0

    def look(self):
        if time.monotonic() < self.next: return
        counters = self.project.status()["jobs"][0]["counters"]
        self.longest, self.number = max(self.longest, counters["lastEpoch"]["millis"]), counters["epoch"]
        self.next = time.monotonic() + 3


def peak(process):
    """The most memory that the process has had resident, in MB."""
    lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def job_at_size(world, cluster, job, settings):
    """Right ten times faster than left, then the rest of left; poison in each partition; every pair exactly once, in a fixed memory."""
    for topic in ("left_1kb", "right_1kb", "joined"): cluster.topic(topic, 15)
    rows = 10_000 * (world.rounds or 30)
    feeders = [Feeder(cluster, "left_1kb", "g1", rows, 7_919, 10), Feeder(cluster, "right_1kb", "g2", rows, 1, 0)]
    left, right = feeders
    follower = subprocess.Popen([cluster.tool, cluster.servers, "follow", "joined", str(rows)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    project = world.project("size")
    project.write("terrace.conf", settings)
    project.spec("dwd.joined", job)
    started, epochs = time.monotonic(), Epochs(project)
    run = project.start()
    try:
        while left.written < rows or right.written < rows:
            if run.poll() is not None: raise Failure(f"terrace run ended with {run.returncode}: {project.log_end()}")
            if right.waiting() < WAVE // 5:
                left.write(WAVE // 10 if right.written < rows else 0)
                right.write(WAVE)
            if right.written == rows and left.waiting() < WAVE // 5: left.write(WAVE)
            if not left.extra and right.written >= rows // 2:
                for feeder in feeders: feeder.poison()
            if left.written: epochs.look()
            time.sleep(0.05)
        want = rows - (rows + 9) // 10
        project.wait("all records", lambda: run.poll() is not None or (left.waiting() <= 0 and right.waiting() <= 0), 120)
        project.wait("the join's rows", lambda: run.poll() is not None or cluster.count("joined") >= want, 120)
        took, memory = time.monotonic() - started, peak(run)
        code = project.stop(run)
        world.checks.that("terrace run ends with 0 on SIGTERM", code == 0, f"exit {code}: {project.log_end()}")
        found = follower.communicate("", timeout=60)[0].split()
        total = rows * (rows - 1) // 2 - 10 * ((rows + 9) // 10) * ((rows + 9) // 10 - 1) // 2
        world.checks.equal(f"pairs of {rows} records a side, each once", found, [str(want), str(want), str(total), "0"])
        status = project.status()["jobs"][0]
        world.checks.equal("poison records are passed over and counted", sum(s["skipped"] for s in status["counters"]["sources"].values()), 30)
        world.checks.that("memory stays near its limit of 256 MB", memory < MEMORY, f"{memory:.0f} MB")
        world.checks.that("no epoch grows long", epochs.longest < 60_000, f"{epochs.longest} ms")
        world.checks.note(f"{2 * rows} records of 1 KB in {took:.0f} s ({2 * rows / took:.0f}/s, the mock brokers and writers on the same cores), peak {memory:.0f} MB, "
                          f"{epochs.number} epochs, the longest of those seen {epochs.longest / 1000:.1f} s")
    finally:
        for process in (run, follower):
            if process.poll() is None: process.kill()
        for feeder in feeders: feeder.close()
