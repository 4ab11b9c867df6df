"""What the PyPI client arez reads from a page: python read_with_arez.py URL, JSON on standard output."""

import asyncio
import json
import sys

from arez.statuspage import StatusPage


async def main(url: str) -> None:
    async with StatusPage(url, loop=asyncio.get_running_loop()) as page:
        status = await page.get_status()
    seen = {
        "name": status.name,
        "status": status.status,
        "impact": status.impact,
        "updated_at": status.updated_at.isoformat(),
        "groups": {group.name: [child.name for child in group.components] for group in status.groups},
        "components": {component.name: component.status for component in status.components},
        "incidents": [(each.name, each.status, each.impact, each.last_update.description) for each in status.incidents],
        "maintenances": [(each.name, each.status, each.scheduled_for.isoformat()) for each in status.maintenances],
    }
    print(json.dumps(seen))


asyncio.run(main(sys.argv[1]))
