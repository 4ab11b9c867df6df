from django.urls import path

from subscribers import views

linked_in_mails = [
    path("subscribe/confirm/<str:token>", views.confirm, name="subscribe-confirm"),
    path("subscriptions/<str:token>", views.manage, name="subscription"),
    path("unsubscribe/<str:token>", views.unsubscribe, name="unsubscribe"),
    path("unsubscribe/<str:token>/undo", views.undo, name="unsubscribe-undo"),
]
urlpatterns = [
    path("subscribe", views.subscribe, name="subscribe"),
    path("subscribe/sent", views.sent, name="subscribe-sent"),
    *linked_in_mails,
]
