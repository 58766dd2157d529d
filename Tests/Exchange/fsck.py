"""Checks that a table is whole: every file that a live snapshot or tag names exists, and no file is deleted that was not there.

fsck.py TABLE_FOLDER; unpartitioned tables. Reads the manifests with fastavro, so that it owes nothing to the code under test.
"""
import json
import pathlib
import sys

import fastavro


def avro(file):
    with open(file, "rb") as stream: return list(fastavro.reader(stream))


def problems(folder):
    """What is missing, one sentence each."""
    folder, found = pathlib.Path(folder), []
    roots = sorted((folder / "snapshot").glob("snapshot-*"), key=lambda p: int(p.name.split("-")[1])) + sorted((folder / "tag").glob("tag-*"))
    entries_of = {}
    def entries(manifest_list, root):
        path = folder / "manifest" / manifest_list
        if not path.exists():
            found.append(f"{root}: manifest list {manifest_list} is missing")
            return []
        read = []
        for manifest in avro(path):
            name = manifest["_FILE_NAME"]
            if name not in entries_of:
                file = folder / "manifest" / name
                if not file.exists():
                    found.append(f"{root}: manifest {name} is missing")
                    continue
                entries_of[name] = avro(file)
            read += entries_of[name]
        return read
    for root in roots:
        snapshot = json.loads(root.read_text())
        live, deleted_early = {}, []
        for entry in entries(snapshot["baseManifestList"], root.name) + entries(snapshot["deltaManifestList"], root.name):
            file = entry["_FILE"]
            key = (entry["_BUCKET"], file["_LEVEL"], file["_FILE_NAME"])
            if entry["_KIND"] == 0:
                if key in live: found.append(f"{root.name}: {key} is added twice")
                live[key] = file
            elif live.pop(key, None) is None: deleted_early.append(key)
        found += [f"{root.name}: deletes {key}, which was not there" for key in deleted_early if key not in live]
        for (bucket, _, name), file in live.items():
            path = folder / f"bucket-{bucket}" / name
            if not path.exists(): found.append(f"{root.name}: data file bucket-{bucket}/{name} is missing")
            elif path.stat().st_size != file["_FILE_SIZE"]: found.append(f"{root.name}: {name} has {path.stat().st_size} bytes, not {file['_FILE_SIZE']}")
        rows = sum(file["_ROW_COUNT"] for file in live.values())
        if rows != snapshot["totalRecordCount"]: found.append(f"{root.name}: totalRecordCount {snapshot['totalRecordCount']}, but its files hold {rows}")
        if root.name.startswith("snapshot-") and snapshot.get("changelogManifestList"):
            for entry in entries(snapshot["changelogManifestList"], root.name):
                path = folder / f"bucket-{entry['_BUCKET']}" / entry["_FILE"]["_FILE_NAME"]
                if not path.exists(): found.append(f"{root.name}: changelog file {path.name} is missing")
    return found


if __name__ == "__main__":
    found = problems(sys.argv[1])
    print("\n".join(found) or "whole")
    sys.exit(1 if found else 0)
