# SPDX-License-Identifier: Apache-2.0
from django.urls import path

from django_shop import views

urlpatterns = [
    path("alive", views.alive),
    path("orders/<int:order>/pay", views.pay),
    path("orders/<int:order>", views.show),
    path("stock/<item>", views.stock),
    path("notes/<text>", views.note),
]
