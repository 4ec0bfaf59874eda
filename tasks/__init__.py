"""Each step of the pipeline as a Prefect task: what is retried, what is reported; the work is the library's.

Prefect caches nothing here: the store's keys decide what is there already, and they hold without Prefect too.
"""
