"""Background work: the jobs, their retries, the worker process."""
