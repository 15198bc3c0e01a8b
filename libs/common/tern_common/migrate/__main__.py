"""`python -m tern_common.migrate <service>...|all`: see the package. Passwords come from the environment or a file."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from tern_common.errors import Misconfigured, TernError
from tern_common.logs import configure_logs, logger
from tern_common.migrate.run import differences, migrate, write_revision
from tern_common.migrate.schema import discovered

ADMIN_URL = "TERN_ADMIN_DATABASE_URL"


def parse(arguments: Sequence[str]) -> Namespace:
    """The command line."""
    parser = ArgumentParser("python -m tern_common.migrate", description="Roles, schemas and tables of the services.")
    parser.add_argument("services", nargs="+", metavar="service", help="names of services, or `all` that are installed")
    parser.add_argument(
        "--admin-url", default=os.environ.get(ADMIN_URL), help=f"of an administrator; else ${ADMIN_URL}"
    )
    parser.add_argument(
        "--passwords-file", type=Path, help='JSON {"<service>": "<password>"}; else $TERN_<SERVICE>_DB_PASSWORD'
    )
    parser.add_argument("--check", action="store_true", help="change nothing; fail if tables are not as declared")
    parser.add_argument("--revision", metavar="MESSAGE", help="write the service's next migration")
    return parser.parse_args(arguments)


def passwords_for(services: Sequence[str], file: Path | None, environment: Mapping[str, str]) -> dict[str, str]:
    """service → password, of those that have one."""
    given = _read(file) if file else {}
    named = {
        service: given.get(service) or environment.get(f"TERN_{service.upper()}_DB_PASSWORD") for service in services
    }
    return {service: password for service, password in named.items() if password}


def _read(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        raise Misconfigured(f"{file} is not a readable JSON file") from None
    if not isinstance(found, dict):
        raise Misconfigured(f'{file} must look like {{"<service>": "<password>"}}')
    return {str(name): str(password) for name, password in found.items()}


async def work(asked: Namespace) -> int:
    """What the command line asks for; the exit code."""
    known = discovered()
    services: list[str] = known if asked.services == ["all"] else asked.services
    if not asked.admin_url:
        raise Misconfigured(f"set {ADMIN_URL}, or give --admin-url")
    if asked.revision:
        for service in services:
            await write_revision(asked.admin_url, service, asked.revision)
        return 0
    if asked.check:
        wrong = {service: found for service in services if (found := await differences(asked.admin_url, service))}
        for service, found in wrong.items():
            logger.error("tables are not as declared", schema=service, differences=found)
        return 1 if wrong else 0
    unknown = sorted(set(services) - set(known))
    if unknown:
        raise Misconfigured(f"not installed, or without migrations: {', '.join(unknown)}")
    await migrate(asked.admin_url, services, passwords_for(["access", *services], asked.passwords_file, os.environ))
    return 0


def main() -> int:
    """Exit code 0 when all is as declared."""
    configure_logs("migrate")
    try:
        return asyncio.run(work(parse(sys.argv[1:])))
    except TernError as wrong:
        logger.error("migration failed", why=str(wrong))
        return 1


if __name__ == "__main__":
    sys.exit(main())
