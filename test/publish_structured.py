"""Publish a CloudEvent in structured JSON, with the official SDK and a stock Kafka client.

python publish_structured.py BROKERS TOPIC ATTRIBUTES DATA

ATTRIBUTES and DATA are JSON.
"""

import json
import sys
from datetime import datetime

from cloudevents.core.bindings.kafka import to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Producer

brokers, topic, attributes, data = sys.argv[1:]
event = json.loads(attributes)
event["time"] = datetime.fromisoformat(event["time"])
message = to_structured(CloudEvent(event, json.loads(data)), JSONFormat())
failed = []
producer = Producer({"bootstrap.servers": brokers, "acks": "all"})
producer.produce(
    topic, key=message.key, value=message.value, headers=dict(message.headers), on_delivery=lambda e, _: failed.append(e)
)
producer.flush()
sys.exit(str(failed) if failed != [None] else 0)
