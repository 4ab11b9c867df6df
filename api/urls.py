from django.urls import path

from api import receipts

urlpatterns = [
    path("api/notices.json", receipts.notices_json, name="notices-json"),
    path("api/notices/<slug:code>/receipt.json", receipts.receipt_json, name="receipt-json"),
]
