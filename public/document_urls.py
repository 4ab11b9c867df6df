"""Addresses of the documents that programs read."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
