from django.contrib import admin
from django.urls import path

from staff import posting_views as posting
from staff import receipts

urlpatterns = [
    path("admin/post/", posting.post, name="post"),
    path("admin/post/preview/", posting.preview, name="post-preview"),
    path("admin/post/fields/", posting.fields, name="post-fields"),
    path("admin/post/grid/", posting.grid, name="post-grid"),
    path("admin/post/audience/", posting.audience, name="post-audience"),
    path("admin/post/drafts/<int:pk>/delete/", posting.delete_draft, name="delete-draft"),
    path("admin/post/<slug:code>/", posting.post, name="post-update"),
    path("admin/notices/<slug:code>/receipt/", receipts.receipt, name="receipt"),
    path("admin/notices/<slug:code>/receipt/counts/", receipts.receipt_counts, name="receipt-counts"),
    path("admin/notices/<slug:code>/receipt/retry/", receipts.receipt_retry, name="receipt-retry"),
    # The admin's own addresses come last: they catch all of /admin/.
    path("admin/", admin.site.urls),
]
