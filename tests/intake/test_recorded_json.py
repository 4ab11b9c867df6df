"""Pages recorded elsewhere, imported here: our v2 JSON equals the recording, but for what is named below."""

import json
from contextlib import nullcontext, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from pages.models import Page
from public.documents import api_v2 as api
from public.snapshot import build
from tests.intake.comparing import MISSING, Difference, differences

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "reference" / "samples"
pytestmark = [
    pytest.mark.skipif(not SAMPLES.is_dir(), reason="the recordings of other people's pages are not here: ../shared"),
    pytest.mark.django_db,
]
COMPONENTS = sorted(path.name for path in SAMPLES.glob("*components*.json"))
WEBHOOKS = sorted(path.name for path in SAMPLES.glob("webhook__*.json"))
ONLY_IN_THE_API = {"group", "only_show_if_degraded", "started_at", "tweet_id"}
# Of postmortems, of settings, of posts on Twitter; and an incident's window, which it has not.
ONLY_IN_WEBHOOKS = {
    "backfilled", "impact_override", "postmortem_body", "postmortem_body_last_updated_at", "postmortem_ignored",
    "postmortem_notified_subscribers", "postmortem_notified_twitter", "postmortem_published_at",
    "scheduled_auto_completed", "scheduled_auto_in_progress", "scheduled_for", "scheduled_remind_prior",
    "scheduled_reminded_at", "scheduled_until", "twitter_updated_at", "wants_twitter_update",
}  # fmt: skip


CUT_BY_HAND = "docs__htx-huobi-summary.json"


def import_files(*names: str | Path) -> str:
    """What the command printed to stderr. A name is that of a recording; a whole path is taken as it is."""
    errors = StringIO()
    paths = [str(SAMPLES / name) for name in names]
    try:
        call_command("import_statuspage", *paths, stdout=StringIO(), stderr=errors)
    except CommandError as losses:
        if losses.returncode != 3 or CUT_BY_HAND not in names:
            raise
    return errors.getvalue()


def load(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


def serve(document: str) -> Any:
    """As it goes out: through JSON, from the only page there is."""
    return json.loads(api.to_json(api.DOCUMENTS[document](build(Page.objects.get()))))


def compare(ours: Any, recorded: Any) -> list[Difference]:
    _order_ties(ours)
    _order_ties(recorded)
    return list(differences(ours, recorded))


def _order_ties(document: Any) -> None:
    """Lists of components are by position. Those of one position come in no order that anything explains
    (see the last test), so it is not compared; the positions must ascend all the same."""
    lists = [document.get("components", [])]
    lists += [each["components"] for key in ("incidents", "scheduled_maintenances") for each in document.get(key, [])]
    for listed in lists:
        positions = [component["position"] for component in listed]
        assert positions == sorted(positions)
        listed.sort(key=lambda component: (component["position"], component["id"]))


def is_expected(difference: Difference) -> bool:
    """Differences that hold for every recording of their time."""
    where, ours, recorded = difference
    key = where.rpartition(".")[2]
    if key == "shortlink":  # theirs leads through their own shortener, ours straight to the incident
        return "stspg.io/" in recorded and "/incidents/" in ours
    if key == "reminder_intervals":  # incidents have it since 2024
        return ours is None and recorded == MISSING
    if key == "start_date":  # components have it since 2021
        return ours is None and recorded == MISSING
    if key == "body":  # our line ends are always \n
        return bool(recorded.replace("\r\n", "\n") == ours)
    return False


@pytest.mark.parametrize("name", COMPONENTS)
def test_components_come_back_as_they_were_recorded(name: str) -> None:
    assert "unknown key" not in import_files(name)
    assert compare(serve("components"), load(name)) == []


def test_a_summary_with_an_open_incident_comes_back() -> None:
    name = "checkstatuspage__instructure-summary.json"
    import_files(name)
    found = compare(serve("summary"), load(name))
    assert [each for each in found if not is_expected(each)] == []
    assert sorted(where for where, _, _ in found) == [".incidents[0].reminder_intervals", ".incidents[0].shortlink"]


def test_a_summary_that_was_cut_by_hand_comes_back_but_for_the_cuts() -> None:
    """Its list has one component of many, without its group; the incident brings a second one along, and
    the first in a later state, which is what counts. With two components the roll-up is still the recorded one."""
    name = CUT_BY_HAND
    assert "its group is not in the document" in import_files(name)
    ours, recorded = serve("summary"), load(name)
    market = ours["components"].pop()
    assert market["name"] == "Market data"
    found = [each for each in compare(ours, recorded) if not is_expected(each)]
    assert found == [
        (".components[0].updated_at", "2020-02-10T12:34:52.970Z", "2020-02-07T09:27:15.563Z"),
        (".components[0].showcase", False, True),
        (".components[0].group_id", None, "gtd0nyr3pf0k"),
        (".scheduled_maintenances[0].components[0].group_id", None, "gtd0nyr3pf0k"),
    ]


def test_incidents_with_many_updates_come_back_in_order() -> None:
    name = "stactus__github-incidents-2024.json"
    import_files(name)
    found = compare(serve("incidents"), load(name))
    assert [where for where, _, _ in found] == [".incidents[0].shortlink", ".incidents[1].shortlink"]
    assert all(map(is_expected, found))


def test_components_and_incidents_of_one_page_make_one_page() -> None:
    """The incidents know two components that the cut list of components does not have."""
    import_files("stactus__github-incidents-2024.json", "stactus__github-components-2024.json")
    recorded = load("stactus__github-components-2024.json")
    ours = serve("components")
    ours["components"] = [each for each in ours["components"] if each["name"] not in ("Actions", "Pages")]
    assert compare(ours, recorded) == []
    found = compare(serve("incidents"), load("stactus__github-incidents-2024.json"))
    assert all(map(is_expected, found))


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("docs__discord-incidents.json", "incidents"),
        ("docs__discord-scheduled-maintenances.json", "scheduled-maintenances"),
    ],
)
def test_an_old_incident_and_an_old_maintenance_come_back(name: str, document: str) -> None:
    import_files(name)
    found = compare(serve(document), load(name))
    assert [each for each in found if not is_expected(each)] == []
    assert {where.rpartition(".")[2] for where, _, _ in found} <= {"shortlink", "reminder_intervals", "body"}


@pytest.mark.parametrize("name", [*COMPONENTS, "checkstatuspage__instructure-summary.json", CUT_BY_HAND,
                                  "stactus__github-incidents-2024.json", "docs__discord-scheduled-maintenances.json"])  # fmt: skip
def test_importing_the_same_again_changes_nothing(name: str) -> None:
    import_files(name)
    before = Page.objects.get()
    output = StringIO()
    with suppress(CommandError) if name == CUT_BY_HAND else nullcontext():
        call_command("import_statuspage", str(SAMPLES / name), stdout=output, stderr=StringIO())
    assert " new" not in output.getvalue()
    assert " changed" not in output.getvalue().replace("unchanged", "")
    after = Page.objects.get()
    assert (after.generation, after.updated_at) == (before.generation, before.updated_at)


@pytest.mark.parametrize("name", WEBHOOKS)
def test_a_webhook_is_no_document_and_is_refused_with_the_reason(name: str) -> None:
    """It is what a page sends out at one event. Importing reads what a page shows."""
    with pytest.raises(CommandError, match="nothing to import: neither components nor incidents"):
        import_files(name)
    assert not Page.objects.exists()


@pytest.mark.parametrize("name", WEBHOOKS)
def test_what_a_webhook_holds_comes_back_when_it_stands_in_a_document(name: str, tmp_path: Path) -> None:
    """Value by value; its keys are not all those of the public API, and come in another order."""
    webhook = load(name)
    kind = "components" if "component" in webhook else "incidents"
    recorded = webhook[kind.removesuffix("s")]
    page = {"id": webhook["page"]["id"], "name": "A", "url": "https://a.example", "updated_at": "2018-01-01T00:00:00Z"}
    document = tmp_path / "document.json"
    document.write_text(json.dumps({"page": page, kind: [recorded]}))
    import_files(document)
    for where, ours, theirs in differences(serve(kind)[kind][0], recorded):
        key = where.rpartition(".")[2]
        only_one_has_it = key in (ONLY_IN_THE_API if theirs == MISSING else ONLY_IN_WEBHOOKS if ours == MISSING else ())
        assert only_one_has_it or key == "(order)" or is_expected((where, ours, theirs)), (where, ours, theirs)


def test_no_rule_orders_components_of_one_position() -> None:
    """One recording lists the same three components of position 1 in two orders."""
    document = load("checkstatuspage__instructure-summary.json")
    named = [each["id"] for each in document["incidents"][0]["components"] if each["position"] == 1]
    listed = [each["id"] for each in document["components"] if each["id"] in named]
    assert sorted(named) == sorted(listed)
    assert named != listed
