from django.urls import path

from delivery import views

urlpatterns = [
    path("admin/notices/<slug:code>/receipt/", views.receipt, name="receipt"),
    path("admin/notices/<slug:code>/receipt/counts/", views.receipt_counts, name="receipt-counts"),
    path("admin/notices/<slug:code>/receipt/retry/", views.receipt_retry, name="receipt-retry"),
]
