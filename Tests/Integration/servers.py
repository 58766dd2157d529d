"""Real servers in scratch folders on free ports, and a proxy that cuts connections.

Servers refuse to run as root: then they run as the user that their package made.
"""
import glob
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def three_rows(url, user, password):
    """A spec that writes three rows into the table `copy` behind a URL."""
    return ("CREATE TEMPORARY TABLE three (id INT) WITH ('connector' = 'datagen', 'number-of-rows' = '3', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '3');\n"
            f"CREATE TEMPORARY TABLE outside (id INT) WITH ('connector' = 'jdbc', 'url' = '{url}', 'table-name' = 'copy', 'username' = '{user}', 'password' = '{password}');\n"
            "INSERT INTO outside SELECT id FROM three;\n")


class Postgres:
    """A PostgreSQL server with wal_level = logical. Use as a context."""

    USER = "postgres"

    def __init__(self, settings=(), encoding="UTF8"):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda p: int(p.split("/")[4]))
        if not found: raise RuntimeError("no PostgreSQL server: Tests/Exchange/setup-peers servers")
        self.bin, self.port = pathlib.Path(found[-1]).parent, free_port()
        # Its own folder, since tests' folders belong to the one who runs them.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="terrace-pg-"))
        self.data, self.settings, self.encoding = self.folder / "data", settings, encoding
        if os.geteuid() == 0:
            owner = pwd.getpwnam(self.USER)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)

    def _run(self, *words, **options):
        lead = ["runuser", "-u", self.USER, "--"] if os.geteuid() == 0 else []
        return subprocess.run([*lead, str(self.bin / words[0]), *map(str, words[1:])], check=True, capture_output=True,
                              cwd=self.folder, timeout=120, **options)

    def __enter__(self):
        self._run("initdb", "-D", self.data, "-A", "trust", "-E", self.encoding, "--locale=C.UTF-8" if self.encoding == "UTF8" else "--locale=C",
                  "-U", self.USER, "--no-sync")
        lines = [f"port = {self.port}", "listen_addresses = '127.0.0.1'", f"unix_socket_directories = '{self.folder}'", "wal_level = logical",
                 "max_replication_slots = 30", "max_wal_senders = 30", "max_connections = 150", "fsync = off", *self.settings]
        with open(self.data / "postgresql.conf", "a") as file: file.write("\n" + "\n".join(lines) + "\n")
        self.start()
        return self

    def __exit__(self, *_):
        try: self.stop("immediate")
        except subprocess.SubprocessError: pass
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        # pg_ctl's children keep its output open: it must not be a pipe.
        lead = ["runuser", "-u", self.USER, "--"] if os.geteuid() == 0 else []
        subprocess.run([*lead, str(self.bin / "pg_ctl"), "-D", str(self.data), "-l", str(self.folder / "log"), "-w", "start"], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder, timeout=120)

    def stop(self, mode="fast"): self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def crash(self):
        """The power fails, and comes back."""
        self.stop("immediate")
        self.start()

    def tool(self, name, *words):
        return self._run(name, "-h", "127.0.0.1", "-p", self.port, "-U", self.USER, *words)

    def start_tool(self, name, *words):
        return subprocess.Popen([str(self.bin / name), "-h", "127.0.0.1", "-p", str(self.port), "-U", self.USER, *map(str, words)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def connect(self, database="postgres"):
        import pg8000.native
        return pg8000.native.Connection(self.USER, host="127.0.0.1", port=self.port, database=database, timeout=60, ssl_context=False)

    def run(self, *statements, database="postgres"):
        """Runs statements one by one, each its own transaction; the rows of the last."""
        connection = self.connect(database)
        try:
            for sql in statements: rows = connection.run(sql)
            return rows
        finally: connection.close()


class MariaDB:
    """A MariaDB server with a binary log in row format. Use as a context."""

    USER, FAMILY = "mysql", "mariadb"
    # What keeps names of columns out of the log.
    BARE = "NO_LOG"

    def __init__(self, *settings, server_id=1):
        self.port, self.server_id, self.settings = free_port(), server_id, settings
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="terrace-maria-"))
        self.data, self.process = self.folder / "data", None
        if os.geteuid() == 0:
            owner = pwd.getpwnam(self.USER)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)

    def _lead(self): return ["runuser", "-u", self.USER, "--"] if os.geteuid() == 0 else []

    def install(self):
        subprocess.run([*self._lead(), "mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--auth-root-authentication-method=normal",
                        "--skip-test-db"], check=True, capture_output=True, cwd=self.folder, timeout=120)

    def words(self):
        """The program, and what only it is told."""
        return [*self._lead(), shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults", "--gtid-strict-mode=1", "--log-slave-updates", "--skip-name-resolve"]

    def place(self):
        """File and offset of the end of the log."""
        return self.run("SHOW MASTER STATUS")[0][:2]

    def gtids(self): return self.run("SELECT @@gtid_binlog_pos")[0][0]
    def seq(self, database, count): return f"{database}.seq_1_to_{count}"

    def follow(self, first):
        """Becomes a replica."""
        self.run(f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {first.port}, MASTER_USER = 'cdc', MASTER_PASSWORD = 'secret', MASTER_USE_GTID = slave_pos", "START SLAVE")

    def forget(self): self.run("RESET MASTER")
    def promote(self): self.run("STOP SLAVE", "RESET SLAVE ALL")

    def pack(self, on):
        """Packs what it logs, or no longer."""
        self.run(f"SET GLOBAL log_bin_compress = {on}", "SET GLOBAL log_bin_compress_min_len = 10")

    def __enter__(self):
        self.install()
        self.start()
        self.run("CREATE USER 'cdc'@'%' IDENTIFIED BY 'secret'", "GRANT ALL ON *.* TO 'cdc'@'%' WITH GRANT OPTION")
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        words = [*self.words(), f"--datadir={self.data}", f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.folder}/sock",
                 f"--server-id={self.server_id}", "--log-bin=mariadb-bin", "--binlog-format=ROW", "--binlog-row-image=FULL",
                 "--innodb-flush-log-at-trx-commit=2", "--default-time-zone=+00:00",
                 f"--pid-file={self.folder}/pid", f"--tmpdir={self.folder}", "--sync-binlog=0", *self.settings]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        for _ in range(300):
            try: return self.connect("root", "").close()
            except Exception:
                if self.process.poll() is not None: break
                time.sleep(0.1)
        raise RuntimeError(f"{type(self).__name__} does not start: {(self.folder / 'log').read_text()[-2000:]}")

    def kill(self):
        """kill -9."""
        try: os.kill(int((self.folder / "pid").read_text()), signal.SIGKILL)
        except (OSError, ValueError): pass
        if self.process: self.process.wait()
        self.process = None

    def crash(self):
        self.kill()
        (self.folder / "pid").unlink(missing_ok=True)
        self.start()

    def connect(self, user="cdc", password="secret", database=None):
        import pymysql
        return pymysql.connect(host="127.0.0.1", port=self.port, user=user, password=password, database=database, charset="utf8mb4",
                               autocommit=True)

    def run(self, *statements, database=None, user="root", password=""):
        """Runs statements one by one; the rows of the last."""
        connection = self.connect(user, password, database)
        try:
            with connection.cursor() as cursor:
                for sql in statements: cursor.execute(sql)
                return cursor.fetchall()
        finally: connection.close()


class MySQL(MariaDB):
    """A MySQL server, 8.0 unless another one is wanted, as it comes: GTIDs are on, passwords are caching_sha2_password, TLS is offered."""

    FAMILY, VERSION, BARE = "mysql", "8.0", "MINIMAL"

    @classmethod
    def home(cls): return pathlib.Path(os.environ.get("TERRACE_PEERS", pathlib.Path.home() / ".cache/terrace-peers")) / "mysql" / cls.VERSION

    @classmethod
    def is_there(cls): return (cls.home() / "ready").exists()

    def install(self): shutil.copytree(self.home() / "data", self.data)

    def words(self):
        return [str(self.home() / "mysqld"), "--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--mysqlx=OFF", "--secure-file-priv=", "--innodb-data-file-path=ibdata1:5M:autoextend",
                "--log-replica-updates"]

    def place(self): return self.run("SHOW MASTER STATUS" if self.VERSION == "8.0" else "SHOW BINARY LOG STATUS")[0][:2]
    def gtids(self): return self.run("SELECT @@gtid_executed")[0][0].replace("\n", "")

    def seq(self, database, count):
        return (f"(SELECT /*+ SET_VAR(cte_max_recursion_depth = {count + 1}) */ seq FROM (WITH RECURSIVE s AS (SELECT 1 AS seq UNION ALL SELECT seq + 1 FROM s WHERE seq < {count}) "
                "SELECT seq FROM s) AS inside) AS s")

    def follow(self, first):
        self.run(f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {first.port}, SOURCE_USER = 'cdc', SOURCE_PASSWORD = 'secret', SOURCE_AUTO_POSITION = 1, "
                 "GET_SOURCE_PUBLIC_KEY = 1", "START REPLICA")

    def forget(self): self.run("RESET MASTER" if self.VERSION == "8.0" else "RESET BINARY LOGS AND GTIDS")
    def promote(self): self.run("STOP REPLICA", "RESET REPLICA ALL")
    def pack(self, on): self.run(f"SET GLOBAL binlog_transaction_compression = {on}")

    def connect(self, user="root", password="", database=None):
        # The driver needs TLS for a password of caching_sha2_password.
        import pymysql
        return pymysql.connect(host="127.0.0.1", port=self.port, user=user, password=password, database=database, charset="utf8mb4", autocommit=True,
                               ssl={"check_hostname": False, "verify_mode": "none"} if password else None)


class MySQL9(MySQL):
    VERSION = "9"


class Cutter:
    """A TCP proxy to a local port, whose connections can be cut at any moment."""

    def __init__(self, target):
        self.target, self.pairs, self.lock = target, [], threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try: client, _ = self.listener.accept()
            except OSError: return
            try: server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            with self.lock: self.pairs.append((client, server))
            for a, b in ((client, server), (server, client)): threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(1 << 16): sink.sendall(data)
        except OSError: pass
        for end in (source, sink):
            try: end.shutdown(socket.SHUT_RDWR)
            except OSError: pass

    def cut(self):
        """Cuts all connections; how many there were."""
        with self.lock: pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                try: end.shutdown(socket.SHUT_RDWR)
                except OSError: pass
                end.close()
        return len(pairs)

    def close(self):
        self.listener.close()
        self.cut()
