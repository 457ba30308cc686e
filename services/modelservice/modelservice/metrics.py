"""What Prometheus is told."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from modelservice.serving import Model

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Every metric, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = r = CollectorRegistry()
        ProcessCollector(registry=r)
        PlatformCollector(registry=r)
        self.requests = Counter(
            "modelservice_requests_total", "Requests by path and status.", ["path", "status"], registry=r
        )
        self.seconds = Histogram(
            "modelservice_request_seconds",
            "How long a request took.",
            ["path"],
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=r,
        )
        self.rows = Counter("modelservice_rows_total", "Rows that were scored.", registry=r)
        self.unseen = Counter(
            "modelservice_unseen_categories_total",
            "Values of a column that training had not seen.",
            ["column"],
            registry=r,
        )
        self.promotions = Counter(
            "modelservice_promotions_total",
            "Promotions by what became of them: served, refused, and old: not newer than what is served.",
            ["outcome"],
            registry=r,
        )
        for outcome in ("served", "refused", "old"):
            self.promotions.labels(outcome)
        self.broker = Gauge("modelservice_broker_up", "1 while the log can be read.", registry=r)
        self.behind = Gauge("modelservice_records_behind", "Records of the log that are not read yet.", registry=r)
        self.last_record = Gauge(
            "modelservice_last_record_timestamp_seconds", "When a record was last read, in Unix time.", registry=r
        )
        self._generation = Gauge("modelservice_model_generation", "Of the model that is served.", registry=r)
        self._info = Gauge(
            "modelservice_model_info",
            "1 for the model that is served.",
            ["model", "version", "run", "sha256"],
            registry=r,
        )

    def serving(self, model: Model) -> None:
        """Note which model is served from now on."""
        p = model.promotion
        self._info.clear()
        self._info.labels(p.model, str(p.version), p.run, p.candidate.model.sha256).set(1)
        self._generation.set(p.generation)
        self.promotions.labels("served").inc()

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)
