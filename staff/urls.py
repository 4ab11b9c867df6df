from django.contrib import admin
from django.urls import include, path

from staff import chosen_page, overview, receipts
from staff import posting_views as posting

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
    path("choose-page/", chosen_page.choose_page, name="choose-page"),
]
urlpatterns = [path("staff/", include(screens)), path("admin/", admin.site.urls)]
