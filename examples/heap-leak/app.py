"""A true heap leak: a list at module level that keeps a megabyte of each invocation."""

kept = []


def lambda_handler(event, context):
    kept.append(bytearray(1024 * 1024))
    return {"kept": len(kept)}
