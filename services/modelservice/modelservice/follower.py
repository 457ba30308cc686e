"""Follows the log: the newest promotion that can be served is.

A cold start reads the compacted table and the promotions from the beginning: events are small and rare, and
a row of the table may be older than the newest promotion if a gate was cut off at the wrong moment. Whatever
order they come in, only a generation above the one that is served counts.
"""

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

from asfotec.churn.event.v1.decision_pb2 import ModelPromoted

from modelservice import denial, events
from modelservice.artifacts import Fetch
from modelservice.config import Kafka
from modelservice.errors import Denied, Refused, Unavailable
from modelservice.metrics import Metrics
from modelservice.serving import Holder, load

_log = logging.getLogger(__name__)

TOPICS = ("model-current", "model-promoted")
SERVING_STAGE = "Production"  # promotions to other stages have generations of their own
_KEPT = 16  # promotions to fall back on if the newest cannot be served
_REMEMBERED = 1024  # refused promotions that are not tried again
_POLL = 0.1  # seconds
_RETRY = 1.0  # seconds between attempts at what is away
_REFRESH = 5.0  # seconds between looks at the broker and for new partitions
_FIRST = 2.0  # seconds for a broker to answer until it has for the first time, and afterwards
_LATER = 5.0
_SOON = 0.25  # seconds between looks for topics that are not there yet
_END = 1.0  # seconds that the thread has to end: one that waits for a broker ends with the process

_Partition = tuple[str, int]  # topic and number
# Generation first, and what makes one event of a generation another than a second, which may be forged.
_Identity = tuple[int, str, str, str]


class Promotions:
    """The newest promotions of one model that are not served yet, and the holder of the one that is."""

    def __init__(self, model: str, fetch: Fetch, holder: Holder, metrics: Metrics) -> None:
        self._model, self._fetch, self._holder, self._metrics = model, fetch, holder, metrics
        self._waiting: dict[_Identity, ModelPromoted] = {}
        self._refused: set[_Identity] = set()

    def add(self, promotion: ModelPromoted) -> None:
        """Take a promotion in."""
        if promotion.model != self._model or promotion.plan.gate.baseline_stage != SERVING_STAGE:
            return
        key = _identity(promotion)
        if promotion.generation <= self._served() or key in self._waiting or key in self._refused:
            self._metrics.promotions.labels("old").inc()
            return
        self._waiting[key] = promotion
        for old in sorted(self._waiting)[:-_KEPT]:
            del self._waiting[old]

    def serve(self) -> None:
        """Serve the newest promotion that can be. A bad one is refused, and what is served goes on.

        Raises Unavailable if the store is away: call again.
        """
        while self._waiting:
            newest = max(self._waiting)
            promotion = self._waiting[newest]
            try:
                model = load(promotion, self._fetch)
            except Unavailable:
                raise
            except Refused as err:
                self._refuse(newest, str(err))
                continue
            except Exception as err:  # hostile artifacts fail in ways that nobody foresaw
                _log.exception("loading a promotion failed")
                self._refuse(newest, repr(err))
                continue
            self._holder.model = model  # one step: requests in flight keep the one they have
            self._waiting = {k: p for k, p in self._waiting.items() if p.generation > promotion.generation}
            self._refused = {k for k in self._refused if k[0] > promotion.generation}
            self._metrics.serving(model)
            _log.info("serving", extra=_facts(promotion))

    def _refuse(self, key: _Identity, why: str) -> None:
        promotion = self._waiting.pop(key)
        self._refused = set(sorted(self._refused | {key})[-_REMEMBERED:])
        self._metrics.promotions.labels("refused").inc()
        _log.error("promotion refused", extra=_facts(promotion) | {"error": why})

    def _served(self) -> int:
        return self._holder.model.generation if self._holder.model else 0


def _identity(p: ModelPromoted) -> _Identity:
    return p.generation, p.run, p.candidate.model.sha256, p.features.preprocessor.sha256


def _facts(p: ModelPromoted) -> dict[str, Any]:
    return {"model": p.model, "version": p.version, "generation": p.generation, "run": p.run}


class Follower(threading.Thread):
    """Reads the topics on a thread of its own until it is stopped. A broker that is away is waited for.

    One that refuses this service when it starts ends the thread with a call of on_denied; later, when
    credentials are changed, it is waited for, too: the model that is served goes on.
    """

    def __init__(
        self,
        kafka: Kafka,
        promotions: Promotions,
        metrics: Metrics,
        on_denied: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(name="follower", daemon=True)
        self._kafka, self._promotions, self._metrics, self._on_denied = kafka, promotions, metrics, on_denied
        self._let_in = False
        self._errors: deque[Any] = deque(maxlen=8)  # librdkafka's, the newest
        self._next: dict[_Partition, int] = {}  # offsets to go on from
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread, after the record at hand."""
        self._stopping.set()
        self.join(_END)

    def run(self) -> None:
        """Read until stopped."""
        while not self._stopping.is_set():
            try:
                self._read()
            except Denied as err:
                self._on_denied(str(err))
                return
            except Unavailable as err:
                _log.warning("waiting for the log", extra={"error": str(err)})
                self._pause()
            except Exception:
                _log.exception("following the log failed: going on after a pause")
                self._pause()

    def _pause(self) -> None:
        self._metrics.broker.set(0)
        self._stopping.wait(_RETRY)

    def _read(self) -> None:
        """Read every partition until stopped or partitions change."""
        from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition  # late: the server answers meanwhile

        consumer = Consumer(consumer_settings(self._kafka) | {"error_cb": self._errors.append})
        try:
            partitions = self._await_partitions(consumer)
            consumer.assign([TopicPartition(*p, self._next.get(p, OFFSET_BEGINNING)) for p in partitions])
            self._follow(consumer, partitions)
        finally:
            consumer.close()

    def _await_partitions(self, consumer: Any) -> set[_Partition]:
        """Return the partitions once a topic is there."""
        partitions = self._partitions(consumer)
        if not partitions:
            _log.info("waiting for the topics", extra={"prefix": self._kafka.prefix, "topics": TOPICS})
        while not partitions and not self._stopping.wait(_SOON):
            partitions = self._partitions(consumer)
        return partitions

    def _partitions(self, consumer: Any) -> set[_Partition]:
        """Return the partitions of the topics that are there.

        Raises Unavailable if the broker is away, Denied if it has never let this service in and refuses to.
        """
        from confluent_kafka import KafkaError, KafkaException

        partitions: set[_Partition] = set()
        for name in TOPICS:
            topic = self._kafka.prefix + name
            try:
                metadata = consumer.list_topics(topic, timeout=_LATER if self._let_in else _FIRST).topics[topic]
            except KafkaException as err:
                consumer.poll(0)  # hands out what error_cb is to know
                self._deny(denial.of_broker(self._kafka, self._errors))
                raise Unavailable(f"{self._kafka.brokers} (KAFKA_BROKERS): {err.args[0]}") from err
            if metadata.error is None:
                partitions |= {(topic, number) for number in metadata.partitions}
            elif metadata.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                self._deny(denial.of_topic(self._kafka, topic))
        self._let_in = True
        self._metrics.broker.set(1)
        return partitions

    def _deny(self, why: str) -> None:
        """Raise Denied for a reason, if this service was never let in."""
        if why and not self._let_in:
            raise Denied(why)

    def _follow(self, consumer: Any, partitions: set[_Partition]) -> None:
        unread, away = set(partitions), False
        # One topic may be there before the other.
        every = _REFRESH if len({topic for topic, _ in partitions}) == len(TOPICS) else _SOON
        looked = time.monotonic()
        while not self._stopping.is_set():
            message = consumer.poll(_RETRY if away else _POLL)
            self._metrics.behind.set(self._behind(consumer, partitions))
            if message is not None:
                self._take(message, unread)
            # What is old is not worth loading: wait until all that was there has been read.
            away = not unread and not self._serve()
            if time.monotonic() - looked >= every:
                looked = time.monotonic()
                if self._partitions(consumer) != partitions:
                    return

    def _behind(self, consumer: Any, partitions: set[_Partition]) -> int:
        """Return how many records are not read yet, as far as the broker has told with what it sent."""
        from confluent_kafka import TopicPartition

        behind = 0
        for partition in partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
            # What the broker has not told yet is below zero.
            behind += max(0, high - max(0, low, self._next.get(partition, 0)))
        return behind

    def _take(self, message: Any, unread: set[_Partition]) -> None:
        from confluent_kafka import KafkaError

        error, partition = message.error(), (message.topic(), message.partition())
        if error is None:
            self._next[partition] = message.offset() + 1
            self._metrics.last_record.set_to_current_time()
            self._add(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            self._next[partition] = message.offset()  # past what compaction took
            unread.discard(partition)
        elif error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            pass  # librdkafka asks for the coordinator also of a group that is never joined
        elif not error.retriable():
            raise Unavailable(str(error))

    def _add(self, message: Any) -> None:
        record = events.Record(
            message.topic(), message.partition(), message.offset(), message.value(), message.headers() or ()
        )
        try:
            promotion = events.decode(record)
        except Refused as err:
            self._metrics.promotions.labels("refused").inc()
            _log.error("event refused", extra={"error": str(err)})
            return
        if promotion is not None:
            self._promotions.add(promotion)

    def _serve(self) -> bool:
        """Serve what is newest, and report whether the store was there."""
        try:
            self._promotions.serve()
        except Unavailable as err:
            _log.warning("waiting for the object store", extra={"error": str(err)})
            return False
        return True


def consumer_settings(kafka: Kafka) -> dict[str, Any]:
    """Return librdkafka's settings."""
    protocol = ("SASL_" if kafka.mechanism else "") + ("SSL" if kafka.tls else "PLAINTEXT")
    settings: dict[str, Any] = {
        "bootstrap.servers": kafka.brokers,
        "group.id": f"{kafka.prefix}modelservice-{uuid.uuid4()}",  # never joined: partitions are assigned
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "security.protocol": protocol,
        "allow.auto.create.topics": False,
        "enable.metrics.push": False,  # nobody asked for telemetry
        "fetch.wait.max.ms": 100,
        "fetch.message.max.bytes": 4 << 20,
        "queued.max.messages.kbytes": 16 << 10,
        "reconnect.backoff.max.ms": 1000,
        "ssl.ca.location": kafka.ca,
        "ssl.certificate.location": kafka.cert,
        "ssl.key.location": kafka.key,
        "sasl.mechanism": kafka.mechanism,
        "sasl.username": kafka.username,
        "sasl.password": kafka.password,
        "logger": logging.getLogger("librdkafka"),
    }
    return {name: value for name, value in settings.items() if value != ""}
