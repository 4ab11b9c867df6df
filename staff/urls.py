from django.contrib import admin
from django.urls import include, path

from staff import chosen_page, incident_lists, overview, receipts, undo
from staff import posting_views as posting
from staff.settings import channels, components, page, subscribers, templates

screens = [
    path("", overview.overview, name="overview"),
    path("post/", posting.post, name="post"),
    path("post/preview/", posting.preview, name="post-preview"),
    path("post/fields/", posting.fields, name="post-fields"),
    path("post/grid/", posting.grid, name="post-grid"),
    path("post/audience/", posting.audience, name="post-audience"),
    path("post/drafts/<int:pk>/delete/", posting.delete_draft, name="delete-draft"),
    path("post/<slug:code>/", posting.post, name="post-update"),
    path("notices/<slug:code>/receipt/", receipts.receipt, name="receipt"),
    path("notices/<slug:code>/receipt/counts/", receipts.receipt_counts, name="receipt-counts"),
    path("notices/<slug:code>/receipt/retry/", receipts.receipt_retry, name="receipt-retry"),
    path("components/", components.show_tree, name="components"),
    path("components/add/", components.add, name="component-add"),
    path("components/paste/", components.paste, name="components-paste"),
    path("components/move/", components.move, name="component-move"),
    path("components/groups/<slug:code>/", components.change_group, name="group"),
    path("components/groups/<slug:code>/remove/", components.remove_group, name="group-remove"),
    path("components/rename/<slug:what>/<slug:code>/", components.rename, name="component-rename"),
    path("components/<slug:code>/", components.change, name="component"),
    path("components/<slug:code>/status/", components.set_status, name="component-status"),
    path("components/<slug:code>/archive/", components.archive, name="component-archive"),
    path("components/<slug:code>/restore/", components.restore, name="component-restore"),
    path("incidents/", incident_lists.incidents, name="incidents"),
    path("maintenance/", incident_lists.maintenance, name="maintenance"),
    path("channels/", channels.show_channels, name="channels"),
    path("channels/connect/<slug:kind>/", channels.add_account, name="account-add"),
    path("channels/<int:pk>/", channels.change_account, name="account"),
    path("channels/<int:pk>/test/", channels.test_account, name="account-test"),
    path("channels/<int:pk>/pause/", channels.pause_account, name="account-pause"),
    path("subscribers/", subscribers.show_subscribers, name="subscribers"),
    path("subscribers/unsubscribe/", subscribers.unsubscribe, name="unsubscribe-many"),
    path("page/", page.change_page, name="page"),
    path("page/add/", page.add_page, name="page-add"),
    path("page/templates/", templates.show_templates, name="templates"),
    path("page/templates/add/<slug:kind>/", templates.add_template, name="template-add"),
    path("page/templates/<int:pk>/", templates.change_template, name="template"),
    path("page/templates/<int:pk>/remove/", templates.remove_template, name="template-remove"),
    path("undo/", undo.undo, name="undo"),
    path("choose-page/", chosen_page.choose_page, name="choose-page"),
]
urlpatterns = [path("staff/", include(screens)), path("admin/", admin.site.urls)]
