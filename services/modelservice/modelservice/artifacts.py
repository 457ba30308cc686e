"""Artifacts out of the object store, verified against the event that names them."""

import hashlib
import logging
import posixpath
import ssl
import threading
from collections.abc import Callable
from typing import Any, Protocol

from asfotec.churn.artifact.v1.artifact_pb2 import Artifact

from modelservice import denial
from modelservice.config import Store
from modelservice.errors import Denied, Refused, Unavailable

_log = logging.getLogger(__name__)

_MAX_KEY = 1024  # S3's limit on the bytes of a key
_TIMEOUT = 20.0  # seconds without a byte
_RETRY = 1.0  # seconds between attempts to reach a store that is away


class Fetch(Protocol):
    """Returns the verified bytes of an artifact of at most limit bytes."""

    def __call__(self, artifact: Artifact, limit: int) -> bytes:
        """Raise Refused if the artifact is bad, Unavailable if the store is away."""


def key_of(uri: str, bucket: str) -> str:
    """Return the key of a URI, which must be of the bucket and clean."""
    scheme, _, rest = uri.partition("://")
    other, _, key = rest.partition("/")
    if scheme != "s3" or other != bucket:
        raise Refused(f"{uri[:200]!r} is not in bucket {bucket!r}, the only one that is read (CHURN_BUCKET)")
    clean = posixpath.normpath(key) == key and not key.startswith(("/", ".."))
    if not clean or key == "." or not key.isprintable() or "\\" in key or len(key.encode()) > _MAX_KEY:
        raise Refused(f"{uri[:200]!r} has no clean relative path as its key")
    return key


class ObjectStore:
    """An S3 bucket."""

    def __init__(self, store: Store) -> None:
        # Imported late: the server answers while they load.
        from minio import Minio
        from urllib3 import PoolManager, Retry, Timeout

        self._store, self._bucket = store, store.bucket
        self._client = Minio(
            store.host,
            access_key=store.access_key,
            secret_key=store.secret_key,
            secure=store.secure,
            region=store.region,
            http_client=PoolManager(
                timeout=Timeout(connect=5, read=_TIMEOUT),
                retries=Retry(total=2, backoff_factor=0.1),
                ssl_context=ssl.create_default_context(cafile=store.ca or None) if store.secure else None,
            ),
        )

    def check(self) -> None:
        """Raise Denied if the store does not let this service in, Unavailable if it is away."""
        from minio.error import MinioException, S3Error
        from urllib3.exceptions import HTTPError

        try:
            next(iter(self._client.list_objects(self._bucket)), None)
        except (MinioException, HTTPError, OSError) as err:
            if why := denial.of_store(self._store, err):
                raise Denied(why) from err
            if isinstance(err, S3Error) and err.code == "AccessDenied":
                raise Denied(
                    f"bucket {self._bucket} (CHURN_BUCKET) at {self._store.host} is not there, or the user of "
                    "AWS_ACCESS_KEY_ID may not list it (s3:ListBucket), without which what is missing looks forbidden"
                ) from err
            what = f"bucket {self._bucket} (CHURN_BUCKET) at {self._store.host} (MLFLOW_S3_ENDPOINT_URL)"
            raise Unavailable(f"{what}: {err}") from err

    def fetch(self, artifact: Artifact, limit: int) -> bytes:
        """Return the artifact's bytes. See Fetch."""
        key = key_of(artifact.uri, self._bucket)
        if artifact.size > limit:
            raise Refused(f"{artifact.uri} has {artifact.size} bytes: at most {limit} are read")
        return verify(artifact, self._read(key, artifact.size + 1))

    def _read(self, key: str, length: int) -> bytes:
        """Return the object's first bytes, at most length."""
        from minio.error import MinioException, S3Error
        from urllib3.exceptions import HTTPError

        response: Any = None
        try:
            response = self._client.get_object(self._bucket, key)
            return bytes(response.read(length))
        except S3Error as err:
            if err.code == "NoSuchKey":
                raise Refused(f"s3://{self._bucket}/{key} is not there") from err
            raise Unavailable(f"the object store answered {err.code} to s3://{self._bucket}/{key}") from err
        except (MinioException, HTTPError, OSError) as err:
            raise Unavailable(f"the object store is away (MLFLOW_S3_ENDPOINT_URL): {err}") from err
        finally:
            if response is not None:
                response.close()
                response.release_conn()


class Check(threading.Thread):
    """Looks on a thread of its own, once at the start, whether the store lets this service in."""

    def __init__(self, store: ObjectStore, on_denied: Callable[[str], None]) -> None:
        super().__init__(name="store check", daemon=True)
        self._store, self._on_denied = store, on_denied
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Wait no longer for a store that is away."""
        self._stopping.set()

    def run(self) -> None:
        """Wait for the store, and report if it refuses."""
        while not self._stopping.is_set():
            try:
                self._store.check()
            except Denied as err:
                self._on_denied(str(err))
                return
            except Unavailable as err:
                _log.warning("waiting for the object store", extra={"error": str(err)})
                self._stopping.wait(_RETRY)
            else:
                return


def verify(artifact: Artifact, body: bytes) -> bytes:
    """Return body if it is what the event names."""
    if len(body) != artifact.size:
        raise Refused(f"{artifact.uri} does not have the {artifact.size} bytes that the event names")
    digest = hashlib.sha256(body).hexdigest()
    if digest != artifact.sha256:
        raise Refused(f"{artifact.uri} has SHA-256 {digest}, not {artifact.sha256} as the event names")
    return body
