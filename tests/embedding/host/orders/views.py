"""The bakery's pages: they start workflows and ask for them; nothing is launched here."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from dboshub import DBOS
from orders.models import Order, Stock
from orders.workflows import fill_order, ovens, wait_for_word


@csrf_exempt
def place(request: HttpRequest) -> JsonResponse:
    """An order and its workflow, or neither: `fail` raises at the end of the transaction."""
    with transaction.atomic():
        order = Order.objects.create(loaf=request.POST.get("loaf", "rye"))
        handle = ovens.enqueue(fill_order, order.pk)
        order.workflow = handle.workflow_id
        order.save()
        seen = handle.get_status().status
        if "fail" in request.POST:
            raise RuntimeError("the oven broke")
    return JsonResponse({"order": order.pk, "id": handle.workflow_id, "status": seen})


@csrf_exempt
@transaction.non_atomic_requests
def start(request: HttpRequest) -> JsonResponse:
    """By function and by name, and both results."""
    order = Order.objects.create(loaf="wheat")
    handles = [
        DBOS.start_workflow(fill_order, order.pk),
        DBOS.start_workflow("bake", "a bun"),
    ]
    return JsonResponse({"results": [each.get_result() for each in handles]})


@csrf_exempt
def begin(request: HttpRequest) -> JsonResponse:
    order = Order.objects.create(loaf="unnamed")
    return JsonResponse({"id": DBOS.start_workflow(wait_for_word, order.pk).workflow_id})


@csrf_exempt
def say(request: HttpRequest, workflow_id: str) -> JsonResponse:
    DBOS.send(workflow_id, request.POST["word"], topic="word")
    return JsonResponse({})


@csrf_exempt
def cancel(request: HttpRequest, workflow_id: str) -> JsonResponse:
    DBOS.cancel_workflow(workflow_id)
    return JsonResponse({"status": DBOS.retrieve_workflow(workflow_id).get_status().status})


@csrf_exempt
def resume(request: HttpRequest, workflow_id: str) -> JsonResponse:
    handle = DBOS.resume_workflow(workflow_id)
    return JsonResponse({"status": handle.get_status().status})


@transaction.non_atomic_requests
def result(request: HttpRequest, workflow_id: str) -> JsonResponse:
    return JsonResponse({"result": DBOS.retrieve_workflow(workflow_id).get_result()})


@transaction.non_atomic_requests
async def result_async(request: HttpRequest, workflow_id: str) -> JsonResponse:
    handle: Any = await DBOS.retrieve_workflow_async(workflow_id)
    event = await DBOS.get_event_async(workflow_id, "noted", timeout_seconds=20)
    return JsonResponse({"result": await handle.get_result(), "noted": event})


@csrf_exempt
@transaction.non_atomic_requests
async def place_async(request: HttpRequest) -> JsonResponse:
    order = await Order.objects.acreate(loaf="spelt")
    handle = await ovens.enqueue_async(fill_order, order.pk)
    found = await DBOS.list_workflows_async(workflow_ids=[handle.workflow_id])
    return JsonResponse({"id": handle.workflow_id, "listed": len(found)})


def counts(request: HttpRequest) -> JsonResponse:
    rows = DBOS.list_workflows(name="fill_order", load_input=False)
    return JsonResponse(
        {
            "orders": Order.objects.count(),
            "workflows": len(rows),
            "stock": dict(Stock.objects.values_list("loaf", "number")),
        }
    )


urlpatterns = [
    path("orders/place/", place),
    path("orders/start/", start),
    path("orders/begin/", begin),
    path("orders/<str:workflow_id>/say/", say),
    path("orders/<str:workflow_id>/cancel/", cancel),
    path("orders/<str:workflow_id>/resume/", resume),
    path("orders/<str:workflow_id>/result/", result),
    path("orders/<str:workflow_id>/result-async/", result_async),
    path("orders/place-async/", place_async),
    path("orders/counts/", counts),
]
