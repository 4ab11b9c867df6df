from django.contrib import admin
from django.urls import include, path

from staff import chosen_page, overview, receipts, undo
from staff import posting_views as posting
from staff.settings import components

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
    path("undo/", undo.undo, name="undo"),
    path("choose-page/", chosen_page.choose_page, name="choose-page"),
]
urlpatterns = [path("staff/", include(screens)), path("admin/", admin.site.urls)]
