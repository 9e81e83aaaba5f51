"""One look at all queues of an application: their settings, and whether anything waits there.

The only statement of an idle process. It is how work is found that was enqueued by programs
which announce nothing, and how an operator's edit of a limit takes effect.
"""

from __future__ import annotations

from dboshub.queues.engine.kafka import KAFKA_QUEUE, ORDERED_QUEUE
from dboshub.queues.engine.ports import Survey
from dboshub.queues.storage.fragments import ENQUEUED, OURS, RUNNABLE
from dboshub.queues.storage.rows import QUEUE_COLUMNS, queue_settings
from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.storage.sql import Session, Statement

_INTERVAL = "CAST(:kafka_interval AS double precision)"

# A scalar subquery with LIMIT, because the planner may turn EXISTS into a hash of everything
# that is enqueued.
SURVEY = Statement(f"""
    SELECT {QUEUE_COLUMNS},
        (
            SELECT 1
            FROM {{workflow_status}}
            WHERE queue_name = queue.name
                AND {ENQUEUED}
                AND {RUNNABLE}
            LIMIT 1
        ) IS NOT NULL,
        (SELECT 1 FROM {{dboshub_queue_pause}} WHERE queue_name = queue.name) IS NOT NULL
    FROM (
        SELECT {QUEUE_COLUMNS}, 1 AS turn
        FROM {{queues}}
        WHERE {OURS}
        UNION ALL
        SELECT '{INTERNAL_QUEUE}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1.0, NULL, 0
        UNION ALL
        SELECT '{KAFKA_QUEUE}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, {_INTERVAL}, NULL, 1
        WHERE {_INTERVAL} IS NOT NULL
        UNION ALL
        SELECT '{ORDERED_QUEUE}', NULL, NULL, NULL, NULL, 1, NULL, NULL, NULL, {_INTERVAL}, NULL, 1
        WHERE {_INTERVAL} IS NOT NULL
    ) AS queue
    ORDER BY turn, name
""")


def survey(
    session: Session, application: str, version: str, *, kafka_interval: float | None = None
) -> list[Survey]:
    """Every queue this application may claim from, the internal one first.

    Those of Kafka are among them if it consumes, and is to look at them every so many seconds.
    """
    return [
        Survey(queue=queue_settings(tuple(row)), ready=bool(ready), paused=bool(paused))
        for *row, ready, paused in session.all(
            SURVEY, application=application, version=version, kafka_interval=kafka_interval
        )
    ]
