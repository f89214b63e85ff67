"""The seed's tables as its guide writes them, with rows as its readers' programs left them."""

from __future__ import annotations

import re

from app.db.engine import connect

DDL = {
    "postgresql": """
CREATE TABLE cron_jobs (
    id SERIAL PRIMARY KEY,
    name VARCHAR(255) UNIQUE NOT NULL,
    schedule VARCHAR(255) NOT NULL,
    endpoint VARCHAR(1024),
    last_run TIMESTAMP WITH TIME ZONE,
    last_success TIMESTAMP WITH TIME ZONE,
    last_error TEXT,
    enabled BOOLEAN DEFAULT true,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW()
);

CREATE INDEX idx_cron_jobs_enabled ON cron_jobs(enabled) WHERE enabled = true;
CREATE INDEX idx_cron_jobs_last_run ON cron_jobs(last_run);
""",
    "mariadb": """
CREATE TABLE cron_jobs (
    id INT AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(255) UNIQUE NOT NULL,
    schedule VARCHAR(255) NOT NULL,
    endpoint VARCHAR(1024),
    last_run DATETIME,
    last_success DATETIME,
    last_error TEXT,
    enabled BOOLEAN DEFAULT true,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    INDEX idx_enabled (enabled),
    INDEX idx_last_run (last_run)
);
""",
    "sqlite": """
CREATE TABLE cron_jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT UNIQUE NOT NULL,
    schedule TEXT NOT NULL,
    endpoint TEXT,
    last_run TEXT,  -- ISO8601 format
    last_success TEXT,
    last_error TEXT,
    enabled INTEGER DEFAULT 1,
    created_at TEXT DEFAULT (datetime('now')),
    updated_at TEXT DEFAULT (datetime('now'))
);
""",
}

LONG_NAME = "x" * 255

ROWS = [
    "(3, 'daily-report', '0 9 * * *', 'http://one.example/daily', '2026-01-02 09:00:00+00', NULL, 'boom', true)",
    "(4, 'a/b', '*/5 * * * *', 'http://one.example/ab', NULL, NULL, NULL, true)",
    "(7, 'ä ö', '@every 90m', 'http://one.example/every', NULL, NULL, NULL, NULL)",
    f"(8, '{LONG_NAME}', '0 0 * * * *', 'http://one.example/long', NULL, NULL, NULL, false)",
    "(9, 'broken', 'every day', 'http://one.example/broken', NULL, NULL, NULL, true)",
    "(10, 'nowhere', '0 9 * * *', NULL, NULL, NULL, NULL, true)",
    "(11, 'never', '0 0 30 2 *', 'http://one.example/never', NULL, NULL, NULL, true)",
    "(12, 'tokyo', 'TZ=Asia/Tokyo 0 9 * * *', 'HTTP://One.Example', NULL, NULL, NULL, true)",
    "(13, 'days', '0 9 13 * FRI', 'http://one.example/days', NULL, NULL, NULL, true)",
    "(20, 'gone', '0 9 * * *', 'http://one.example/gone', NULL, NULL, NULL, true)",
]

_WITHOUT_ZONE = re.compile(r"\+00(:00)?'")

_INSERT = "INSERT INTO cron_jobs (id, name, schedule, endpoint, last_run, last_success, last_error, enabled) VALUES"


async def plant(url: str, rows: list[str]) -> None:
    """Make the seed's table, with these rows; the last one is deleted again, so that its id was used."""
    database = connect(url)
    try:
        async with database.begin() as connection:
            for statement in DDL[database.dialect].split(";"):
                if statement.strip():
                    await connection.exec_driver_sql(statement)
            for row in rows:
                written = _WITHOUT_ZONE.sub("'", row) if database.dialect == "mariadb" else row
                await connection.exec_driver_sql(f"{_INSERT} {written}")
            await connection.exec_driver_sql("DELETE FROM cron_jobs WHERE name = 'gone'")
            if database.dialect == "postgresql":
                await connection.exec_driver_sql("SELECT setval('cron_jobs_id_seq', 20)")
    finally:
        await database.close()
