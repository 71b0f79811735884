from __future__ import annotations

import pika
import pytest
from pika.exceptions import AMQPConnectionError
from tests.servers.rabbitmq import RabbitMQ, needs_rabbitmq


@needs_rabbitmq
@pytest.mark.soak
def test_a_server_ends_at_once_and_keeps_what_is_durable() -> None:
    with RabbitMQ() as server:
        with pika.BlockingConnection(pika.URLParameters(server.url)) as connection:
            channel = connection.channel()
            channel.queue_declare("work", durable=True)
            channel.basic_publish("", "work", b"ticket", pika.BasicProperties(delivery_mode=2))
            channel.queue_declare("work", passive=True)
        server.kill()
        with pytest.raises(AMQPConnectionError):
            pika.BlockingConnection(pika.URLParameters(server.url))
        server.start()
        with pika.BlockingConnection(pika.URLParameters(server.url)) as connection:
            connection.channel().queue_declare("work", passive=True)
