from django.urls import path

from canary import views

urlpatterns = [
    path("canary/hook", views.hook, name="canary-hook"),
    path("canary/mail/<str:secret>", views.mail, name="canary-mail"),
]
