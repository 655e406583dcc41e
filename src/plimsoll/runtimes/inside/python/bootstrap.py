"""Starts AWS's runtime client for Python, as /var/runtime/bootstrap.py does on AWS."""

import os

from awslambdaric import bootstrap

bootstrap.run(
    os.environ["LAMBDA_TASK_ROOT"],
    os.environ["_HANDLER"],
    os.environ["AWS_LAMBDA_RUNTIME_API"],
)
