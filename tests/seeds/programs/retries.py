# ruff: noqa: T201
from __future__ import annotations

import os
import sys

from dboshub import DBOS, DBOSConfig

config: DBOSConfig = {
    "name": "dbos-tutorial",
    "system_database_url": os.environ.get("DBOS_SYSTEM_DATABASE_URL"),
}
DBOS(config=config)


class S3Client:
    """Stand-in for boto3's client: its first uploads fail, as many as it was told."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def upload_file(self, file_path: str, bucket: str, key: str):
        print(f"Uploading {file_path} to {bucket}/{key}")
        if self.failures:
            self.failures -= 1
            raise ConnectionError("connection reset by peer")


s3_client = S3Client(failures=int(sys.argv[1]))


@DBOS.step(retries_allowed=True, max_attempts=5)
def upload_to_s3(file_path: str, bucket: str, key: str):
    try:
        s3_client.upload_file(file_path, bucket, key)
        DBOS.logger.info(f"Successfully uploaded {key}")
        return {"bucket": bucket, "key": key, "status": "success"}
    except Exception as e:
        DBOS.logger.warning(f"Upload failed: {e}, will retry")
        raise  # Re-raise to trigger DBOS retry


@DBOS.step(retries_allowed=True, max_attempts=2)
def unreliable_api_call(data: str):
    # This will retry up to 2 times if it raises an exception
    print(f"Calling with {data}")
    raise TimeoutError(f"no answer to {data}")


@DBOS.workflow()
def file_processing_workflow(files: list[str]):
    results = []
    for file_path in files:
        # This upload will be retried up to 5 times on failure
        result = upload_to_s3(file_path, "my-bucket", f"uploads/{file_path}")
        results.append(result)
    return results


@DBOS.workflow()
def calling_workflow(data: str):
    return unreliable_api_call(data)


if __name__ == "__main__":
    DBOS.launch()
    print(file_processing_workflow(["a.csv", "b.csv"]))
    try:
        calling_workflow("hello")
    except Exception as e:
        print(f"{type(e).__name__}: {e}")
