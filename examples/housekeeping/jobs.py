"""The jobs this service offers; a new one is a file with its work and an entry here."""

from __future__ import annotations

from .directory_digest import digest_directory
from .disk_usage_report import report_disk_usage
from .job import Job
from .sqlite_backup import back_up_sqlite

JOBS = (
    Job(
        name="directory-digest",
        display_name="Directory digest",
        description="Lists the files that were added, changed or removed since the last run",
        cron_expression="* * * * *",
        job_type="other",
        config={"directory": "files", "output": "reports/digest"},
        work=digest_directory,
    ),
    Job(
        name="disk-usage-report",
        display_name="Disk usage report",
        description="Counts files and bytes per sub-directory and file type",
        cron_expression="*/5 * * * *",
        job_type="analytics",
        config={"directory": ".", "output": "reports/disk-usage"},
        work=report_disk_usage,
    ),
    Job(
        name="sqlite-backup",
        display_name="SQLite backup",
        description="Copies, compresses and verifies the shop database, keeps the newest seven",
        cron_expression="0 2 * * *",
        job_type="other",
        config={"database": "databases/shop.db", "output": "backups", "keep": 7},
        work=back_up_sqlite,
    ),
)
