"""The few calls of Google Cloud Storage (its XML API) and of Azure Blob Storage that the client makes, over a dict."""

from __future__ import annotations

import re
import threading
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

__all__ = ["Cloud"]

_TIME = "Sun, 22 Nov 2026 21:20:21 GMT"


class Cloud:
    """``with Cloud() as cloud``: both at once, at `endpoint`.

    Attributes:
      objects: what is kept, by bucket and key. `asked`: method, path and ``Authorization`` of each request.
      refuses: a status that all requests are answered with.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.refuses: int | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {"cloud": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloud: Cloud

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        name = unquote(parts.path).lstrip("/")
        self.cloud.asked.append((self.command, name, self.headers.get("authorization", "")))
        if self.cloud.refuses is not None:
            self._answer(self.cloud.refuses)
        elif "batch" in query.values():
            self._delete_batch(body)
        elif "prefix" in query or query.get("comp") == "list":
            self._list(name, query)
        elif self.command == "POST" and "uploads" in query:
            self._answer(200, b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")
        elif self.command == "POST" or query.get("comp") == "blocklist":
            self._complete(name, body)
        elif self.command == "PUT":
            block = query.get("partNumber") or query.get("blockid")
            if block is None:
                self.cloud.objects[name] = body
            else:
                self.cloud.parts[block] = body
            self._answer(201 if block is None else 200)
        elif name not in self.cloud.objects:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif self.command == "DELETE":
            del self.cloud.objects[name]
            self._answer(204)
        else:
            self._answer(200, self.cloud.objects[name])

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # the names are the base's

    def _complete(self, name: str, body: bytes) -> None:
        blocks = re.findall(r"<(?:Uncommitted|PartNumber)>([^<]+)<", body.decode())
        self.cloud.objects[name] = b"".join(self.cloud.parts[block] for block in blocks)
        done = b"<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>"
        self._answer(201 if self.command == "PUT" else 200, done)

    def _list(self, bucket: str, query: dict[str, str]) -> None:
        prefix = f"{bucket}/{query.get('prefix', '')}"
        keys = [name.removeprefix(f"{bucket}/") for name in sorted(self.cloud.objects) if name.startswith(prefix)]
        sizes = {key: len(self.cloud.objects[f"{bucket}/{key}"]) for key in keys}
        if "list-type" in query:
            items = "".join(
                f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size><ETag>1</ETag>"
                "<LastModified>2026-11-22T21:20:21Z</LastModified></Contents>"
                for key, size in sizes.items()
            )
            self._answer(200, f"<ListBucketResult>{items}</ListBucketResult>".encode())
            return
        items = "".join(
            f"<Blob><Name>{escape(key)}</Name><Properties><Last-Modified>{_TIME}</Last-Modified>"
            f"<Content-Length>{size}</Content-Length><Content-Type>x/y</Content-Type><Etag>1</Etag></Properties></Blob>"
            for key, size in sizes.items()
        )
        self._answer(200, f"<EnumerationResults><Blobs>{items}</Blobs><NextMarker/></EnumerationResults>".encode())

    def _delete_batch(self, body: bytes) -> None:
        """Azure deletes by requests within a request."""
        answers = []
        for number, path in enumerate(re.findall(rb"DELETE /(\S+) HTTP", body)):
            gone = self.cloud.objects.pop(unquote(path.decode()), None) is not None
            status = "202 Accepted" if gone else "404 The specified blob does not exist."
            code = "" if gone else "x-ms-error-code: BlobNotFound\r\n"
            answers.append(
                f"--b1\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\nHTTP/1.1 {status}\r\n{code}"
                "x-ms-request-id: 1\r\n\r\n"
            )
        self._answer(202, "".join([*answers, "--b1--\r\n"]).encode(), "multipart/mixed; boundary=b1")

    def _answer(self, status: int, body: bytes = b"", kind: str = "application/xml") -> None:
        self.send_response(status)
        headers = Message()
        for name, value in (("ETag", '"1"'), ("Last-Modified", _TIME), ("Content-Type", kind)):
            headers[name] = value
        headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *values: object) -> None:  # the name is the base's
        """Nothing is said."""
