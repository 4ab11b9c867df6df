"""The targets of an export: a folder for any web server, or a bucket with the S3 protocol."""

import contextlib
import json
import mimetypes
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import urlsplit

from core.files import replace_file

MANIFEST = ".export.json"

Manifest = dict[str, str]
"""By file name the digest: the files of the last complete export."""


class ExportError(Exception):
    """The target cannot be written. The former export there is still complete."""


class ExportTarget(Protocol):
    """Stores files by name. `write` replaces a file completely or not at all. All methods raise ExportError."""

    def name_for(self, path: str) -> str: ...
    def read_manifest(self) -> Manifest: ...
    def write_manifest(self, manifest: Manifest) -> None: ...
    def write(self, name: str, bodies: dict[str, bytes], headers: dict[str, str]) -> None: ...
    def remove(self, name: str) -> None: ...


def open_target(target: str, subfolder: str = "") -> ExportTarget:
    """`target`: a directory, or s3://bucket/prefix. Raises ExportError."""
    if target.startswith("s3://"):
        parts = urlsplit(target)
        prefix = "/".join(part for part in (parts.path.strip("/"), subfolder) if part)
        return S3Bucket(parts.netloc, prefix)
    return Folder(Path(target) / subfolder)


class Folder:
    """Writes files: addresses without a suffix get .html, and compressed bodies are written beside them as .gz and .br."""

    ENDINGS = {"gzip": ".gz", "br": ".br"}

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def name_for(self, path: str) -> str:
        name = path.lstrip("/") or "index.html"
        return name if PurePosixPath(name).suffix else f"{name}.html"

    def read_manifest(self) -> Manifest:
        try:
            return dict(json.loads((self.root / MANIFEST).read_text()))
        except (OSError, ValueError):
            return {}

    def write_manifest(self, manifest: Manifest) -> None:
        self._replace(self.root / MANIFEST, json.dumps(manifest).encode())

    def write(self, name: str, bodies: dict[str, bytes], headers: dict[str, str]) -> None:
        path = self._path(name)
        for encoding, ending in self.ENDINGS.items():
            packed = path.with_name(path.name + ending)
            if encoding in bodies:
                self._replace(packed, bodies[encoding])
            else:
                packed.unlink(missing_ok=True)
        self._replace(path, bodies["identity"])

    def remove(self, name: str) -> None:
        path = self._path(name)
        for ending in ("", *self.ENDINGS.values()):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # usually the folder is not empty
            path.parent.rmdir()

    def _path(self, name: str) -> Path:
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise ExportError(f"{name} lies outside {self.root}")
        return path

    def _replace(self, path: Path, data: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, data)
        except OSError as error:
            raise ExportError(f"{path} cannot be written: {error.strerror}") from error


class S3Bucket:
    """Writes objects named like their addresses. Region and keys come from boto3's configuration (AWS_… variables)."""

    CONNECT_SECONDS, READ_SECONDS = 5, 20

    def __init__(self, bucket: str, prefix: str) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise ExportError("s3:// needs the package boto3: install the extra “s3”.") from error
        config = Config(
            connect_timeout=self.CONNECT_SECONDS, read_timeout=self.READ_SECONDS, retries={"total_max_attempts": 3}
        )
        self.bucket, self.prefix = bucket, f"{prefix}/" if prefix else ""
        try:
            self._client: Any = boto3.client("s3", config=config)
        except Exception as error:  # a missing region and a missing key raise different exceptions
            raise ExportError(str(error)) from error

    def name_for(self, path: str) -> str:
        return path.lstrip("/") or "index.html"

    def read_manifest(self) -> Manifest:
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=self.prefix + MANIFEST)
            return dict(json.loads(answer["Body"].read()))
        except self._client.exceptions.NoSuchKey:
            return {}
        except Exception as error:
            raise ExportError(f"s3://{self.bucket} cannot be read: {error}") from error

    def write_manifest(self, manifest: Manifest) -> None:
        self._put(MANIFEST, json.dumps(manifest).encode(), {"Content-Type": "application/json"})

    def write(self, name: str, bodies: dict[str, bytes], headers: dict[str, str]) -> None:
        self._put(name, bodies["identity"], headers)

    def remove(self, name: str) -> None:
        self._call("delete_object", Key=self.prefix + name)

    def _put(self, name: str, body: bytes, headers: dict[str, str]) -> None:
        kind = headers.get("Content-Type") or mimetypes.guess_type(name)[0] or "application/octet-stream"
        options = {"CacheControl": headers["Cache-Control"]} if "Cache-Control" in headers else {}
        self._call("put_object", Key=self.prefix + name, Body=body, ContentType=kind, **options)

    def _call(self, operation: str, **options: Any) -> None:
        try:
            getattr(self._client, operation)(Bucket=self.bucket, **options)
        except Exception as error:  # botocore's errors have no common base but Exception
            raise ExportError(f"s3://{self.bucket} cannot be written: {error}") from error
