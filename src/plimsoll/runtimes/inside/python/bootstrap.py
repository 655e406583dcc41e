"""Starts AWS's runtime client for Python, as /var/runtime/bootstrap.py does on AWS."""

import os
import sys

series = f"python{sys.version_info[0]}.{sys.version_info[1]}"
sys.path[:0] = [
    os.environ["LAMBDA_TASK_ROOT"],
    f"/opt/python/lib/{series}/site-packages",
    "/opt/python",
]

from awslambdaric import bootstrap  # noqa: E402  the function's own modules come first, as on AWS
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # noqa: E402

bootstrap.run(os.environ["_HANDLER"], LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"]))
