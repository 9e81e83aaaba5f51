"""Workflows to watch and steer: a shop, a queue, a pipeline, a flaky carrier, a publisher.

What they do is real, but small: they write to a SQLite file and reports beside it, under the data
directory. A worker that imports `dboshub.demo.load_generator` starts them at a gentle pace.
"""
