"""Queues and broker settings: a slow channel holds up no other, and messages fit what was measured."""

import pytest
from celery import current_app

from delivery.queues import DEFAULT, all_queues, route_task
from delivery.registry import CHANNELS


@pytest.mark.parametrize(("args", "kwargs"), [(["email"], {}), ([], {"kind": "email"})])
def test_sending_goes_to_the_queue_of_its_channel(args: list[str], kwargs: dict[str, str]) -> None:
    assert route_task("delivery.tasks.send", args, kwargs, {}) == {"queue": "delivery.email"}


def test_other_tasks_go_to_the_default_queue() -> None:
    assert route_task("delivery.tasks.fan_out", [7], {}, {}) is None
    assert current_app.conf.task_default_queue == DEFAULT


def test_every_channel_has_a_queue_that_workers_serve() -> None:
    served = [queue.name for queue in current_app.conf.task_queues]
    assert served == all_queues()
    assert {place.queue for place in CHANNELS.values()} < set(served)


def test_one_dead_webhook_host_holds_up_no_post_on_x() -> None:
    assert CHANNELS["webhook"].queue != CHANNELS["x"].queue


def test_every_tick_of_the_clock_is_a_task_that_exists_and_expires() -> None:
    current_app.loader.import_default_modules()
    for entry in current_app.conf.beat_schedule.values():
        assert entry["task"] in current_app.tasks
        assert entry["options"]["expires"] <= entry["schedule"].run_every.total_seconds()


def test_no_task_may_run_longer_than_its_message_is_hidden() -> None:
    conf = current_app.conf
    assert conf.task_soft_time_limit < conf.task_time_limit < conf.broker_transport_options["visibility_timeout"] / 2
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.broker_transport_options["socket_timeout"]
    assert conf.broker_transport_options["retry_on_timeout"]
    assert not conf.worker_cancel_long_running_tasks_on_connection_loss


def test_the_redis_transport_can_be_loaded() -> None:
    """Kombu needs `packaging` for it, which nothing else would bring."""
    from kombu.transport import redis

    assert redis.Transport
