from django.urls import path

from delivery import api, views
from delivery.bounces import webhooks

urlpatterns = [
    path("api/notices.json", api.notices_json, name="notices-json"),
    path("api/notices/<slug:code>/receipt.json", api.receipt_json, name="receipt-json"),
    path("admin/notices/<slug:code>/receipt/", views.receipt, name="receipt"),
    path("admin/notices/<slug:code>/receipt/counts/", views.receipt_counts, name="receipt-counts"),
    path("admin/notices/<slug:code>/receipt/retry/", views.receipt_retry, name="receipt-retry"),
    path("bounces/<slug:provider>", webhooks.receive, name="bounce-webhook"),
]
