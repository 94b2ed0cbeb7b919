"""The lake's root: a local folder or s3://bucket/prefix, with the few file operations that it needs."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from lake.errors import SettingsError
from lake.settings import Settings

UNUSABLE = set("[]*?#%")


@dataclass(frozen=True)
class Root:
    """A place to keep things, by relative path; the same calls for a folder and for S3."""

    uri: str
    settings: Settings

    @classmethod
    def of(cls, uri: str, settings: Settings) -> Root:
        """The root of a URI or folder.

        Raises:
            SettingsError: neither a folder nor an s3:// URI.
        """
        if set(uri) & UNUSABLE:
            raise SettingsError(
                f"The lake's root {uri!r} holds one of {' '.join(sorted(UNUSABLE))}, which file patterns and "
                "URLs read as something else: choose another name."
            )
        if uri.startswith("s3://"):
            if not uri[5:].strip("/"):
                raise SettingsError("The lake's root s3:// names no bucket: use s3://bucket/prefix.")
            return cls(uri.rstrip("/"), settings)
        if "://" in uri and not uri.startswith("file://"):
            raise SettingsError(f"The lake's root {uri!r} is neither a folder nor s3://bucket/prefix.")
        return cls(str(Path(uri.removeprefix("file://")).expanduser().absolute()), settings)

    @property
    def is_local(self) -> bool:
        """Whether the root is a folder of this machine."""
        return not self.uri.startswith("s3://")

    def path(self, *parts: str) -> str:
        """The full path or URI of something below the root."""
        return "/".join((self.uri, *parts))

    @cached_property
    def filesystem(self) -> Any:
        """The fsspec file system of an S3 root."""
        import s3fs

        s = self.settings
        return s3fs.S3FileSystem(
            key=s.s3_access_key_id.get_secret_value() if s.s3_access_key_id else None,
            secret=s.s3_secret_access_key.get_secret_value() if s.s3_secret_access_key else None,
            endpoint_url=s.s3_endpoint_url,
            client_kwargs={"region_name": s.s3_region},
            use_listings_cache=False,
        )

    @cached_property
    def storage_options(self) -> dict[str, str]:
        """What deltalake needs to reach an S3 root; commits use conditional puts, so they are safe."""
        if self.is_local:
            return {}
        s = self.settings
        options = {"AWS_REGION": s.s3_region, "aws_conditional_put": "etag"}
        if s.s3_endpoint_url:
            options["AWS_ENDPOINT_URL"] = s.s3_endpoint_url
            options["AWS_ALLOW_HTTP"] = str(s.s3_endpoint_url.startswith("http://")).lower()
        if s.s3_access_key_id and s.s3_secret_access_key:
            options["AWS_ACCESS_KEY_ID"] = s.s3_access_key_id.get_secret_value()
            options["AWS_SECRET_ACCESS_KEY"] = s.s3_secret_access_key.get_secret_value()
        return options

    def exists(self, *parts: str) -> bool:
        """Whether a file is there."""
        if self.is_local:
            return Path(self.path(*parts)).is_file()
        return bool(self.filesystem.exists(self.path(*parts)))

    def read(self, *parts: str) -> bytes | None:
        """A file's content; None where there is none."""
        try:
            if self.is_local:
                return Path(self.path(*parts)).read_bytes()
            return bytes(self.filesystem.cat_file(self.path(*parts)))
        except FileNotFoundError:
            return None

    def write(self, content: bytes, *parts: str) -> None:
        """Write a file whole or not at all: nobody ever reads half of one."""
        if not self.is_local:
            self.filesystem.pipe_file(self.path(*parts), content)
            return
        target = Path(self.path(*parts))
        beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            with _created(beside) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)

    def delete(self, *parts: str) -> None:
        """Remove a file, if it is there."""
        if self.is_local:
            Path(self.path(*parts)).unlink(missing_ok=True)
        elif self.exists(*parts):
            self.filesystem.rm_file(self.path(*parts))

    def names(self, *parts: str) -> list[str]:
        """The names of the files in a folder, sorted; empty where there is no such folder."""
        try:
            if self.is_local:
                return sorted(
                    p.name for p in Path(self.path(*parts)).iterdir() if p.is_file() and p.name[0] != "."
                )
            listed = self.filesystem.ls(self.path(*parts), detail=False)
            return sorted(name.rsplit("/", 1)[-1] for name in listed)
        except FileNotFoundError:
            return []

    def delete_folder(self, *parts: str) -> None:
        """Remove a folder with its files, if it is there."""
        for name in self.names(*parts):
            self.delete(*parts, name)
        if self.is_local:
            # Another process may be writing into it: then it stays.
            with suppress(OSError):
                Path(self.path(*parts)).rmdir()


def _created(path: Path) -> IO[bytes]:
    """A new file in a folder that another process may just be removing."""
    for _ in range(100):
        with suppress(FileNotFoundError, FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("wb")
    return path.open("wb")
