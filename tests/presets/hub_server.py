"""A small server that speaks the Hub's protocol, on loopback only.

It keeps repositories as commits (files by name), serves them as the Hub
does to its own client (revision in a header, ETag, ranges, large files by
LFS), and can be told to refuse, to cut a connection or to go away.
"""

import base64
import contextlib
import hashlib
import json
import re
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_" + "t" * 34
_REPO = r"(?P<repo>[\w.-]+/[\w.-]+)"
_RESOLVE = re.compile(rf"/{_REPO}/resolve/(?P<rev>[^/]+)/(?P<name>.+)")
_TREE = re.compile(rf"/api/models/{_REPO}/tree/(?P<rev>[^/]+)")
_INFO = re.compile(rf"/api/models/{_REPO}(/revision/(?P<rev>[^/]+))?")
_PREUPLOAD = re.compile(rf"/api/models/{_REPO}/preupload/(?P<rev>[^/]+)")
_COMMIT = re.compile(rf"/api/models/{_REPO}/commit/(?P<rev>[^/]+)")
_BATCH = re.compile(rf"/{_REPO}\.git/info/lfs/objects/batch")


@dataclass
class Repository:
    """Commits by hash, and branches and tags that point to them."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        text = repr((sorted(self.commits), sorted(files.items())))
        oid = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324
        self.commits[oid] = dict(files)
        self.refs[branch] = oid
        return oid

    def files(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        oid = self.refs.get(revision, revision)
        return (oid, self.commits[oid]) if oid in self.commits else None


class HubServer:
    """The server; use as a context manager.

    Attributes:
        repositories: By `owner/name`.
        requests: `METHOD path` of every request so far.
        read_only: Refuse writing with 403.
        down: Answer everything with 503.
        cut: Name of a file whose transfer breaks off in the middle.
        honest: Whether what is served is what was stored; `False` flips a
            bit in every weights file.
        connections: All that were opened.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.large_files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.read_only = False
        self.down = False
        self.cut: str | None = None
        self.honest = True
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.connections: list[socket.socket] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(self, repo: str, files: dict[str, bytes], **kind: bool) -> str:
        """Adds a commit to a repository, which is created if needed."""
        repository = self.repositories.setdefault(repo, Repository(**kind))
        return repository.commit(files)

    def __enter__(self) -> "HubServer":
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Goes away; safe to repeat."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.hub.connections.append(self.connection)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._handle()

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    # === Routes ===

    def _handle(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.hub.down:
            return self._answer(503, {"error": "maintenance"})
        if self.command in ("HEAD", "GET"):
            for pattern, serve in (
                (_RESOLVE, self._resolve),
                (_TREE, self._tree),
                (_INFO, self._info),
            ):
                if match := pattern.fullmatch(path):
                    return serve(match)
        elif path == "/api/validate-yaml":
            return self._answer(200, {"warnings": [], "errors": []})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            if not path.startswith("/lfs/"):
                return self._refuse(401, "", "Invalid username or password.")
        elif self.hub.read_only:
            return self._refuse(403, "", "You have no write access")
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.startswith("/lfs/"):
            self.hub.large_files[path.removeprefix("/lfs/")] = body
            return self._answer(200, {})
        for pattern, receive in (
            (_PREUPLOAD, self._preupload),
            (_COMMIT, self._commit),
            (_BATCH, self._batch),
        ):
            if match := pattern.fullmatch(path):
                return receive(match, body)
        return self._answer(404, {"error": f"no route {path}"})

    def _find(self, match: re.Match[str]) -> Repository | None:
        """Returns the repository, or answers as the Hub does if refused."""
        repository = self.hub.repositories.get(match["repo"])
        sent = self.headers.get("Authorization")
        known = sent == f"Bearer {TOKEN}"
        if repository is None or (repository.private and not known):
            if known:
                self._refuse(404, "RepoNotFound", "Repository not found")
            else:
                self._refuse(401, "", "Invalid username or password.")
            return None
        if repository.gated and "/resolve/" in self.path:
            self._refuse(
                403 if known else 401, "GatedRepo", "Access is restricted"
            )
            return None
        return repository

    def _resolve(self, match: re.Match[str]) -> None:
        repository = self._find(match)
        if repository is None:
            return
        found = repository.files(match["rev"])
        if found is None:
            return self._refuse(404, "RevisionNotFound", "Invalid rev id")
        oid, files = found
        if match["name"] not in files:
            return self._refuse(
                404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": oid}
            )
        data = files[match["name"]]
        etag = hashlib.sha256(data).hexdigest()
        if not self.hub.honest and match["name"].endswith(".safetensors"):
            data = data[:-1] + bytes([data[-1] ^ 1])
        self._send_file(match["name"], data, etag, oid)

    def _send_file(self, name: str, data: bytes, etag: str, oid: str) -> None:
        first = 0
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted:
            first = int(wanted[1])
        self.send_response(206 if wanted else 200)
        self.send_header("ETag", f'"{etag}"')
        self.send_header("X-Repo-Commit", oid)
        self.send_header("Content-Length", str(len(data) - first))
        if wanted:
            span = f"bytes {first}-{len(data) - 1}/{len(data)}"
            self.send_header("Content-Range", span)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.hub.cut == name:
            self.wfile.write(data[first : first + (len(data) - first) // 2])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(data[first:])

    def _tree(self, match: re.Match[str]) -> None:
        repository = self._find(match)
        if repository is None:
            return
        found = repository.files(match["rev"])
        if found is None:
            if not repository.commits:
                return self._answer(200, [])
            return self._refuse(404, "RevisionNotFound", "Invalid rev id")
        entries = [
            {"type": "file", "path": n, "size": len(d), "oid": _oid(d)}
            for n, d in found[1].items()
        ]
        self._answer(200, entries)

    def _info(self, match: re.Match[str]) -> None:
        repository = self._find(match)
        if repository is None:
            return
        found = repository.files(match["rev"] or "main")
        sha = found[0] if found else None
        self._answer(200, {"id": match["repo"], "sha": sha, "siblings": []})

    # === Writing ===

    def _create(self, wanted: dict[str, Any]) -> None:
        repo = f"{wanted.get('organization') or 'me'}/{wanted['name']}"
        url = {"url": f"{self.hub.address}/{repo}"}
        if repo in self.hub.repositories:
            return self._answer(409, url)
        private = wanted.get("visibility") == "private"
        self.hub.repositories[repo] = Repository(private=private)
        return self._answer(200, url)

    def _preupload(self, match: re.Match[str], body: bytes) -> None:
        found = self.hub.repositories[match["repo"]].files("main")
        existing = found[1] if found else {}
        files = []
        for entry in json.loads(body)["files"]:
            name = entry["path"]
            large = name.endswith(".safetensors")
            answer = {
                "path": name,
                "uploadMode": "lfs" if large else "regular",
                "shouldIgnore": False,
            }
            if name in existing and not large:
                answer["oid"] = _oid(existing[name])
            files.append(answer)
        self._answer(200, {"files": files})

    def _batch(self, match: re.Match[str], body: bytes) -> None:
        objects = [
            {
                "oid": entry["oid"],
                "size": entry["size"],
                "actions": {
                    "upload": {"href": f"{self.hub.address}/lfs/{entry['oid']}"}
                },
            }
            for entry in json.loads(body)["objects"]
        ]
        self._answer(200, {"transfer": "basic", "objects": objects})

    def _commit(self, match: re.Match[str], body: bytes) -> None:
        repository = self.hub.repositories[match["repo"]]
        found = repository.files("main")
        files = dict(found[1]) if found else {}
        for line in body.decode().splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                files[value["path"]] = self.hub.large_files[value["oid"]]
            elif operation["key"] == "deletedFile":
                del files[value["path"]]
        oid = repository.commit(files)
        url = f"{self.hub.address}/{match['repo']}/commit/{oid}"
        self._answer(200, {"commitOid": oid, "commitUrl": url, "success": True})

    # === Answers ===

    def _refuse(
        self,
        status: int,
        code: str,
        message: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        extra = {"X-Error-Message": message, **(headers or {})}
        if code:
            extra["X-Error-Code"] = code
        self._answer(status, {"error": message}, extra)

    def _answer(
        self, status: int, value: Any, headers: dict[str, str] | None = None
    ) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _oid(data: bytes) -> str:
    """Returns git's hash of a file."""
    blob = b"blob %d\0" % len(data) + data
    return hashlib.sha1(blob).hexdigest()  # noqa: S324
