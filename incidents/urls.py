from django.urls import path

from incidents import views

urlpatterns = [
    path("admin/post/", views.post, name="post"),
    path("admin/post/preview/", views.preview, name="post-preview"),
    path("admin/post/fields/", views.fields, name="post-fields"),
    path("admin/post/grid/", views.grid, name="post-grid"),
    path("admin/post/audience/", views.audience, name="post-audience"),
    path("admin/post/drafts/<int:pk>/delete/", views.delete_draft, name="delete-draft"),
    path("admin/post/<slug:code>/", views.post, name="post-update"),
]
