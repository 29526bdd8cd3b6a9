"""The ledger's schema as a list of migrations; its length is the schema version.

A released migration is never edited: a change is a new entry at the end.
"""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE images (
            id TEXT PRIMARY KEY,
            state TEXT NOT NULL CHECK (state IN ('intended', 'claimed', 'reported', 'archived')),
            source BLOB NOT NULL,
            work BLOB NOT NULL,
            camera TEXT NOT NULL,
            name TEXT NOT NULL,
            size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            sha256 TEXT,
            arrived_at TEXT,
            captured_at TEXT,
            expected TEXT,
            attempts INTEGER NOT NULL DEFAULT 0,
            in_flight INTEGER NOT NULL DEFAULT 0,
            alone INTEGER NOT NULL DEFAULT 0,
            target BLOB,
            reason TEXT
        ) WITHOUT ROWID""",
        "CREATE INDEX images_open ON images (state) WHERE state != 'archived'",
        "CREATE UNIQUE INDEX images_target ON images (target) WHERE target IS NOT NULL",
        """CREATE TABLE rows (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            image TEXT NOT NULL,
            camera TEXT NOT NULL,
            status TEXT NOT NULL,
            read_at TEXT NOT NULL,
            record TEXT NOT NULL
        )""",
        "CREATE INDEX rows_image ON rows (image)",
        "CREATE TABLE log (head INTEGER NOT NULL)",
        "INSERT INTO log VALUES (0)",
        """CREATE TABLE cameras (
            camera TEXT PRIMARY KEY,
            seen INTEGER NOT NULL DEFAULT 1,
            reported INTEGER NOT NULL DEFAULT 0,
            failed INTEGER NOT NULL DEFAULT 0,
            last_image TEXT,
            last_status TEXT,
            last_at TEXT
        ) WITHOUT ROWID""",
        """CREATE TABLE sinks (
            name TEXT PRIMARY KEY,
            start INTEGER NOT NULL,
            planned_after INTEGER,
            planned_to INTEGER,
            cursor TEXT,
            error TEXT,
            error_at TEXT,
            delivered_at TEXT
        ) WITHOUT ROWID""",
        """CREATE TABLE delivered (
            sink TEXT NOT NULL,
            after INTEGER NOT NULL,
            upto INTEGER NOT NULL CHECK (upto > after),
            PRIMARY KEY (sink, after)
        ) WITHOUT ROWID""",
        """CREATE TABLE dead (
            sink TEXT NOT NULL,
            seq INTEGER NOT NULL,
            reason TEXT NOT NULL,
            at TEXT NOT NULL,
            PRIMARY KEY (sink, seq)
        ) WITHOUT ROWID""",
        """CREATE TABLE conditions (
            name TEXT PRIMARY KEY,
            words TEXT NOT NULL,
            since TEXT NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE replies (
            sink TEXT NOT NULL,
            seq INTEGER NOT NULL,
            reply TEXT NOT NULL,
            PRIMARY KEY (sink, seq)
        ) WITHOUT ROWID""",
    ),
    (
        "ALTER TABLE rows ADD COLUMN field TEXT",
        "ALTER TABLE rows ADD COLUMN code TEXT",
        "ALTER TABLE rows ADD COLUMN taken_at TEXT",
        """UPDATE rows SET field = json_extract(record, '$.field'),
            code = json_extract(record, '$.code'),
            taken_at = coalesce(
                json_extract(record, '$.captured_at'), json_extract(record, '$.arrived_at')
            )""",
        "CREATE INDEX rows_code ON rows (code, camera, field, taken_at) WHERE code IS NOT NULL",
    ),
    (
        # Double entry: what was committed by day, and what each sink settled of it. The log and
        # the positions must always come to the same sums, also after old rows are gone.
        "ALTER TABLE images ADD COLUMN revision INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE images ADD COLUMN marks INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE images ADD COLUMN discard TEXT CHECK (discard IN ('due', 'done'))",
        "UPDATE images SET marks = (SELECT COUNT(*) FROM rows WHERE rows.image = images.id)",
        "CREATE INDEX images_discard ON images (discard) WHERE discard IS NOT NULL",
        "ALTER TABLE cameras ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE cameras ADD COLUMN pruned_failed INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE log ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE conditions ADD COLUMN teller TEXT NOT NULL DEFAULT 'watch'",
        """CREATE TABLE daily (
            day TEXT NOT NULL,
            camera TEXT NOT NULL,
            status TEXT NOT NULL,
            pictures INTEGER NOT NULL DEFAULT 0,
            rows INTEGER NOT NULL DEFAULT 0,
            pruned INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (day, camera, status)
        ) WITHOUT ROWID""",
        """INSERT INTO daily (day, camera, status, pictures, rows)
            SELECT substr(read_at, 1, 10), camera, status,
                SUM(json_extract(record, '$.mark') = 1), COUNT(*)
            FROM rows GROUP BY 1, 2, 3""",
        """CREATE TABLE tallies (
            sink TEXT NOT NULL,
            day TEXT NOT NULL,
            camera TEXT NOT NULL,
            delivered INTEGER NOT NULL DEFAULT 0,
            dead INTEGER NOT NULL DEFAULT 0,
            passed INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (sink, day, camera)
        ) WITHOUT ROWID""",
        """INSERT INTO tallies (sink, day, camera, delivered, dead, passed)
            SELECT sinks.name, substr(rows.read_at, 1, 10), rows.camera,
                SUM(rows.seq > sinks.start
                    AND EXISTS (SELECT 1 FROM delivered AS d WHERE d.sink = sinks.name
                        AND d.after < rows.seq AND d.upto >= rows.seq)
                    AND NOT EXISTS (SELECT 1 FROM dead
                        WHERE dead.sink = sinks.name AND dead.seq = rows.seq)),
                SUM(EXISTS (SELECT 1 FROM dead
                    WHERE dead.sink = sinks.name AND dead.seq = rows.seq)),
                SUM(rows.seq <= sinks.start)
            FROM sinks CROSS JOIN rows GROUP BY 1, 2, 3""",
        """CREATE TABLE subscriptions (
            sink TEXT NOT NULL,
            after INTEGER NOT NULL,
            cameras TEXT,
            statuses TEXT,
            PRIMARY KEY (sink, after)
        ) WITHOUT ROWID""",
        """CREATE TABLE units (
            sink TEXT NOT NULL,
            after INTEGER NOT NULL,
            upto INTEGER NOT NULL CHECK (upto > after),
            PRIMARY KEY (sink, after)
        ) WITHOUT ROWID""",
        """CREATE TABLE rereads (
            image TEXT PRIMARY KEY,
            wanted_at TEXT NOT NULL,
            tries INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID""",
    ),
    (
        # When each camera sent something, for those that fall silent.
        "CREATE INDEX images_arrived ON images (camera, arrived_at)",
    ),
    (
        # A canary's file is noted before it is made, so that no crash leaves one behind.
        """CREATE TABLE canaries (
            source TEXT PRIMARY KEY,
            path BLOB,
            written_at TEXT,
            seconds REAL,
            typical_seconds REAL,
            events_seconds REAL,
            scan_seconds REAL,
            late_seconds REAL
        ) WITHOUT ROWID""",
        # What a sink had, and what it was still owed, when a person said to forget it.
        """CREATE TABLE forgotten (
            sink TEXT NOT NULL,
            at TEXT NOT NULL,
            camera TEXT NOT NULL,
            committed INTEGER NOT NULL,
            delivered INTEGER NOT NULL,
            dead INTEGER NOT NULL,
            given_up INTEGER NOT NULL,
            PRIMARY KEY (sink, at, camera)
        ) WITHOUT ROWID""",
        """CREATE TABLE forgets (
            sink TEXT PRIMARY KEY,
            wanted_at TEXT NOT NULL
        ) WITHOUT ROWID""",
    ),
    (
        # What is asked for most beside the log's end: one camera, and what was not read.
        "CREATE INDEX rows_camera ON rows (camera)",
        "CREATE INDEX rows_attention ON rows (status) WHERE status != 'read'",
    ),
)
