"""The watcher of webhooks sees what is there for a moment only, and takes nothing for missing that was there."""

from __future__ import annotations

import time
from typing import Any

from integration.support.api import Api
from integration.support.bed import Cluster
from integration.support.watcher import SERVICES, watched

_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_MOMENT = 0.05


def service(namespace: str) -> dict[str, Any]:
    spec = {"ports": [{"port": 443}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "istiod", "namespace": namespace}, "spec": spec}


def webhook(name: str, namespace: str) -> dict[str, Any]:
    """One that is never called: nothing has such labels."""
    hook = {
        "name": "hook.example.com",
        "clientConfig": {"service": {"namespace": namespace, "name": "istiod"}},
        "objectSelector": {"matchLabels": {"nobody": "has-it"}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    return {**head, "metadata": {"name": name}, "webhooks": [hook]}


def test_a_webhook_without_its_service_is_seen_if_only_for_a_moment(cluster: Cluster, namespace: str) -> None:
    api, services = Api(cluster), SERVICES.replace("services", f"namespaces/{namespace}/services")
    with watched(cluster) as watcher:
        api.ask("POST", _WEBHOOKS, webhook(namespace, namespace))
        time.sleep(_MOMENT)
        api.ask("POST", services, service(namespace))
        api.ask("DELETE", f"{_WEBHOOKS}/{namespace}")
    called = (f"{namespace}/hook.example.com", namespace, "istiod")
    assert called in watcher.dangling
    assert watcher.judged >= 4


def test_a_webhook_that_comes_after_its_service_and_goes_before_it_is_right(cluster: Cluster, namespace: str) -> None:
    """As often and as fast as a server takes it: the streams come in no common order, and are laid into one."""
    api, services = Api(cluster), SERVICES.replace("services", f"namespaces/{namespace}/services")
    with watched(cluster) as watcher:
        for number in range(20):
            name = f"{namespace}-{number}"
            api.ask("POST", services, service(namespace))
            api.ask("POST", _WEBHOOKS, webhook(name, namespace))
            api.ask("DELETE", f"{_WEBHOOKS}/{name}")
            api.ask("DELETE", f"{services}/istiod")
    assert [called for called in watcher.dangling if called[1] == namespace] == []
    assert watcher.judged > 80
