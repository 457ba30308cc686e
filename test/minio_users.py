"""Make users of MinIO, each with a policy of its own.

python minio_users.py HOST:PORT ROOT_USER < USERS

USERS is JSON: {user: {"secret": ..., "policy": {...}}}. The root user's secret is in
MINIO_ROOT_PASSWORD, and the file of the authority in SSL_CERT_FILE.
"""

import json
import os
import sys

from minio import MinioAdmin
from minio.credentials import StaticProvider

endpoint, root = sys.argv[1:]
admin = MinioAdmin(endpoint=endpoint, credentials=StaticProvider(root, os.environ["MINIO_ROOT_PASSWORD"]))
for name, user in json.load(sys.stdin).items():
    admin.user_add(name, user["secret"])
    admin.policy_add(name, policy=user["policy"])
    admin.attach_policy([name], user=name)
