import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.test import Client

from components.models import Component, Group
from components.status import Status
from pages.models import AuditEntry, Page


@pytest.fixture
def chat(acme: Page) -> Component:
    return Component.objects.create(page=acme, name="Chat API")


def component_form(component: Component, **changes: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "name": component.name,
        "description": "",
        "position": 1,
        "base_status": 0,
        "showcase": "on",
    }
    return fields | changes


def test_a_changed_component_raises_the_generation_and_is_audited(
    client: Client, administrator: User, acme: Page, chat: Component
) -> None:
    answer = client.post(f"/admin/components/component/{chat.pk}/change/", component_form(chat, name="Chat"))
    assert answer.status_code == 302
    acme.refresh_from_db()
    assert acme.generation == 2
    entry = AuditEntry.objects.get()
    assert (entry.page, entry.actor, entry.action, entry.target) == (acme, "ada", "component.change", "Chat")
    assert entry.detail == {"fields": {"name": ["Chat API", "Chat"]}}


def test_a_component_added_in_the_admin_starts_operational(client: Client, administrator: User, acme: Page) -> None:
    client.post("/admin/components/component/add/", {"page": acme.pk, "name": "Mail", "position": 1, "base_status": 0})
    component = Component.objects.get()
    assert component.spans.get().status == Status.OPERATIONAL
    acme.refresh_from_db()
    assert acme.generation == 2
    assert AuditEntry.objects.get().action == "component.add"


def test_a_deleted_group_is_audited_and_leaves_its_components(
    client: Client, administrator: User, acme: Page, chat: Component
) -> None:
    group = Group.objects.create(page=acme, name="Messaging")
    Component.objects.filter(pk=chat.pk).update(group=group)
    chosen = {"action": "delete_selected", "_selected_action": group.pk, "post": "yes"}
    client.post("/admin/components/group/", chosen)
    assert not Group.objects.exists()
    chat.refresh_from_db()
    assert chat.group is None
    acme.refresh_from_db()
    assert acme.generation == 2
    assert AuditEntry.objects.get().detail == {"code": group.code}


def test_a_component_cannot_be_moved_to_another_page(
    client: Client, administrator: User, acme: Page, globex: Page, chat: Component
) -> None:
    client.post(f"/admin/components/component/{chat.pk}/change/", component_form(chat, page=globex.pk))
    chat.refresh_from_db()
    assert chat.page == acme


def test_status_cannot_be_set_by_hand(client: Client, administrator: User, chat: Component) -> None:
    client.post(f"/admin/components/component/{chat.pk}/change/", component_form(chat, status=40))
    chat.refresh_from_db()
    assert chat.status == Status.OPERATIONAL


def test_who_may_only_publish_may_look_and_not_change(client: Client, looker: User, chat: Component) -> None:
    address = f"/admin/components/component/{chat.pk}/change/"
    assert client.get(address).status_code == 200
    assert client.post(address, component_form(chat, name="Mine")).status_code == 403
    assert client.get("/admin/components/component/add/").status_code == 403
    chat.refresh_from_db()
    assert chat.name == "Chat API"


def test_a_new_page_and_a_changed_one_are_audited(client: Client, administrator: User, db: None) -> None:
    form = {
        "name": "Acme",
        "url": "https://status.acme.example",
        "time_zone": "Etc/UTC",
        "maintenance_notice_hours": 72,
    }
    assert client.post("/admin/pages/page/add/", form).status_code == 302
    page = Page.objects.get()
    assert client.post(f"/admin/pages/page/{page.pk}/change/", form | {"name": "Acme Status"}).status_code == 302
    page.refresh_from_db()
    assert (page.name, page.generation) == ("Acme Status", 2)
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["page.change", "page.add"]


def test_the_audit_log_is_for_reading_by_administrators(client: Client, administrator: User, acme: Page) -> None:
    entry = AuditEntry.objects.create(page=acme, actor="ada", action="page.change", target="Acme")
    assert client.get("/admin/pages/auditentry/").status_code == 200
    assert client.post(f"/admin/pages/auditentry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/pages/auditentry/add/").status_code == 403
    assert AuditEntry.objects.count() == 1


def test_the_audit_log_is_hidden_from_other_staff(client: Client, looker: User) -> None:
    assert client.get("/admin/pages/auditentry/").status_code == 403


def test_every_screen_of_data_opens(client: Client, administrator: User, chat: Component) -> None:
    for model in ("pages/page", "components/component", "components/group", "components/statusspan"):
        assert client.get(f"/admin/{model}/?q=chat").status_code == 200, model
        assert client.get(f"/admin/{model}/add/").status_code == 200, model


def test_the_only_page_is_chosen_for_what_is_added(client: Client, administrator: User, acme: Page) -> None:
    chosen = f'<option value="{acme.pk}" selected>'
    for model in ("components/component", "delivery/account", "incidents/template"):
        assert chosen in client.get(f"/admin/{model}/add/").text, model
    Page.objects.create(name="Globex", url="https://status.globex.example")
    assert chosen not in client.get("/admin/components/component/add/").text


@pytest.fixture
def ordered(acme: Page) -> list[Component]:
    """As the posting screen has them: without a group first, then group by group."""
    second = Group.objects.create(page=acme, name="Alpha", position=2)
    first = Group.objects.create(page=acme, name="Omega", position=1)
    rows = ((second, "A", 1), (first, "Z", 1), (first, "B", 2), (None, "Website", 9))
    made = [Component.objects.create(page=acme, group=group, name=name, position=at) for group, name, at in rows]
    return [made[3], made[1], made[2], made[0]]


def test_components_are_listed_group_by_group_wherever_staff_choose(
    client: Client, administrator: User, ordered: list[Component]
) -> None:
    listed = BeautifulSoup(client.get("/admin/components/component/").content, "html.parser")
    assert [row.text for row in listed.select("#result_list .field-name a")] == [each.name for each in ordered]
    chooser = BeautifulSoup(client.get("/admin/incidents/template/add/").content, "html.parser")
    options = chooser.select("#id_components option")
    assert [option.text for option in options] == [each.full_name for each in ordered]


def list_form(components: list[Component]) -> dict[str, object]:
    fields: dict[str, object] = {"_save": "Save", "form-TOTAL_FORMS": 4, "form-INITIAL_FORMS": 4}
    for number, component in enumerate(components):
        fields |= {f"form-{number}-id": component.pk, f"form-{number}-position": component.position}
    return fields


def test_a_position_changed_in_the_list_is_public_and_audited(
    client: Client, administrator: User, acme: Page, ordered: list[Component]
) -> None:
    changed = list_form(ordered) | {"form-1-position": 7}
    assert client.post("/admin/components/component/", changed).status_code == 302
    ordered[1].refresh_from_db()
    assert ordered[1].position == 7
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.detail) == ("component.change", {"fields": {"position": ["1", "7"]}})
    acme.refresh_from_db()
    assert acme.generation == 2


def test_who_may_only_publish_moves_nothing_in_the_list(client: Client, looker: User, ordered: list[Component]) -> None:
    assert client.post("/admin/components/component/", list_form(ordered) | {"form-1-position": 7}).status_code == 403
    assert 'name="form-1-position"' not in client.get("/admin/components/component/").text


def test_only_hidden_components_are_marked(client: Client, administrator: User, ordered: list[Component]) -> None:
    Component.objects.filter(pk=ordered[0].pk).update(hidden=True)
    listed = BeautifulSoup(client.get("/admin/components/component/").content, "html.parser")
    assert [cell.text.strip() for cell in listed.select("td.field-visibility")] == ["Hidden", "", "", ""]
    assert not listed.select("#result_list img")


def test_the_first_page_is_offered_the_address_of_the_installation(
    client: Client, administrator: User, settings
) -> None:
    address = 'value="https://status.example.com"'
    settings.PUBLIC_URL = "https://status.example.com"
    assert address in client.get("/admin/pages/page/add/").content.decode()
    Page.objects.create(name="First", url="https://status.example.com")
    assert address not in client.get("/admin/pages/page/add/").content.decode()
