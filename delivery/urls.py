from django.urls import path

from delivery.mail.bounces import webhooks

urlpatterns = [path("bounces/<slug:provider>", webhooks.receive, name="bounce-webhook")]
