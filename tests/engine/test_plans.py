"""No statement on the way of a claim, an end or a timer reads a table from one end to the other."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests.engine.bench import Bench, new

from detent.engine.loops.timers import sweep_timers
from detent.model.manifest import QueueSpec
from detent.store.statements import statements

#: The steps and the plans are those of SQLite; see `test_postgresql_plans`.
pytestmark = pytest.mark.parametrize("make_bench", ["sqlite"], indirect=True)

HOT = [
    "leave_entry", "list_due_waits", "list_waiting_for", "mark_delivered", "pause_run", "recall_journal",
    "settle_entry", "settle_wait", "unstick_run",
    "assign_run", "enlarge_run", "last_step",
    "adopt_children", "await_children", "await_run", "beat_worker", "bury_worker", "claim_lane",
    "complete_waitpoint", "copy_children", "copy_journal", "expire_waitpoints", "find_fork_end",
    "find_waitpoint", "find_waitpoint_by_key", "waiting_for_waitpoint",
    "claimable_queues", "clear_sticky", "count_down", "count_running", "count_running_of_env",
    "count_running_of_key", "count_unfinished_children", "drop_empty_lane", "drop_later_children",
    "drop_wait", "drop_waits", "end_run", "executing_at", "existing_runs", "family", "fence",
    "find_any_lane", "find_debounce", "find_idempotent", "find_journal", "find_lane", "find_live_worker", "find_parked",
    "find_queue", "find_run", "find_state", "find_task", "find_wait", "finish_run",
    "forget_debounces", "forget_idempotency",
    "hand_back_run", "has_run", "held_runs", "insert_batch", "insert_run",
    "keep_debounce", "keep_idempotency", "lanes_in_turn",
    "list_children", "list_expired", "list_satisfied", "lose_lease", "mark_progress", "mark_started",
    "list_removed_objects", "list_journal_keys", "mark_replay",
    "next_due", "old_runs", "overdue_cancels", "park_run", "push_debounced", "put_child",
    "put_journal", "put_queue", "put_wait", "queue_due", "read_metadata", "read_results", "record_event",
    "release_idempotency", "remove_batches", "remove_children", "remove_events", "remove_journal",
    "remove_runs", "remove_waits", "replace_payload", "request_cancel", "resume_paused", "resume_run", "retry_run",
    "serve_lane", "shared_objects", "unblock_versionless", "unreserve", "unstick",
    "view_journal", "write_metadata", "write_tags",
    "advance_bulk_action", "find_bulk_action", "forget_bulk_actions", "insert_bulk_action",
    "reschedule_run", "find_idempotency", "reset_idempotency", "view_runs", "view_replays",
    "keep_found", "view_batch_members", "view_results", "view_batches",
    "end_overrides", "override_queue", "reset_queue",
    "changed_runs", "find_input_by_call", "find_stream", "give_back_input", "next_input", "put_run_note", "put_stream",
    "stream_chunks_after", "stream_chunks_from", "take_input", "waiting_for_input", "watched_events",
    "metrics_events", "report_created", "report_ended", "report_errors", "report_finished", "report_oldest",
    "report_queued_tasks", "view_awaited", "view_failures", "view_holders", "view_holders_of_env",
    "claim_duties", "drop_duty", "end_duty", "fence_duty", "find_open_duty", "forget_duties", "hand_back_duty",
    "held_duties", "lose_duties", "put_duty",
    "change_schedule", "due_schedules", "find_schedule", "find_schedule_by_key", "list_declared", "mark_scheduled",
    "next_slot", "pass_slot", "remove_schedule",
]  # fmt: skip
#: Statements, and the index that was made for each.
MADE_FOR = [
    ("claim_lane", "runs_queued"),
    ("claim_lane", "runs_reserved"),
    ("count_running", "runs_executing"),
    ("count_running_of_key", "runs_executing"),
    ("held_runs", "runs_held"),
    ("queue_due", "runs_delayed"),
    ("unreserve", "runs_reserved_until"),
    ("list_expired", "runs_expiring"),
    ("overdue_cancels", "runs_cancelling"),
    ("count_down", "children_by_child"),
    ("lanes_in_turn", "lanes_in_turn"),
    ("expire_waitpoints", "waitpoints_due"),
    ("find_waitpoint_by_key", "waitpoints_by_key"),
    ("waiting_for_waitpoint", "waits_for_waitpoint"),
    ("forget_debounces", "debounces_old"),
    ("due_schedules", "schedules_due"),
    ("next_slot", "schedules_due"),
    ("old_runs", "runs_finished"),
    ("end_overrides", "queues_override_until"),
    ("view_replays", "runs_by_source"),
    ("view_batch_members", "runs_batch"),
    ("view_batches", "batches_by_env"),
    ("next_bulk_action", "bulk_actions_open"),
    ("view_bulk_actions", "bulk_actions_by_env"),
    ("forget_bulk_actions", "bulk_actions_old"),
    ("next_due", "queues_override_until"),
    ("old_runs", "children_by_child"),
    ("shared_objects", "runs_payload_ref"),
    ("shared_objects", "runs_output_ref"),
    ("shared_objects", "journal_value_ref"),
]
TABLES = (
    "runs|r|events|journal|j|children|c|waits|waitpoints|lanes|l|bulk_actions|"
    "inputs|run_notes|streams|stream_chunks|idempotency|i|debounces|batches|queues|q|duties|d|tasks|schedules"
)


@pytest.mark.parametrize("name", HOT)
def test_a_statement_on_the_hot_path_finds_its_rows_by_an_index(bench: Bench, name: str) -> None:
    sql = statements("sqlite")[name]
    values = dict.fromkeys(re.findall(r":([a-z_]+)", sql))
    plan = [row["detail"] for row in bench.store.read_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
    scans = [step for step in plan if re.match(rf"SCAN ({TABLES})\b", step)]
    assert not scans, plan


@pytest.mark.parametrize(("name", "index"), MADE_FOR)
def test_a_statement_uses_the_index_that_was_made_for_it(bench: Bench, name: str, index: str) -> None:
    sql = statements("sqlite")[name]
    values = dict.fromkeys(re.findall(r":([a-z_]+)", sql))
    plan = [row["detail"] for row in bench.store.read_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert any(re.search(rf"INDEX {index}\b", step) for step in plan), plan


def steps(bench: Bench, act: Callable[[], object], times: int = 3) -> int:
    """The fewest steps of SQLite's machine that `act` takes on the connection that writes: work, whatever the time."""
    counts: list[int] = []
    connection = bench.store._session._db
    for _ in range(times):
        count = 0

        def tick() -> int:
            nonlocal count
            count += 1
            return 0

        connection.set_progress_handler(tick, 1)
        try:
            act()
        finally:
            connection.set_progress_handler(None, 1)
        counts.append(count)
    return min(counts)


def test_a_claim_does_not_slow_down_with_the_backlog_of_its_queue(bench: Bench) -> None:
    worker = bench.worker("work@q", "other@q")

    def claim() -> None:
        worker.finish(worker.take())

    bench.trigger_all([new() for _ in range(100)])
    small = steps(bench, claim)
    for _ in range(30):
        bench.trigger_all([new() for _ in range(1000)])
    assert steps(bench, claim) < 2 * small


def test_a_claim_among_a_thousand_queues_looks_at_each_queue_once(bench: Bench) -> None:
    worker = bench.worker("work")
    bench.trigger_all([new(queue=f"q{n}", known=True) for n in range(1000)])
    assert steps(bench, lambda: worker.finish(worker.take())) < 1000 * 200


def test_runs_that_are_kept_for_another_worker_do_not_slow_down_a_claim(bench: Bench) -> None:
    holder, other = bench.worker("parent@q", "child@q"), bench.worker("parent@q", "child@q")
    for _ in range(2):
        bench.trigger_all([new("parent") for _ in range(1000)])
    for grant in [grant for _ in range(8) for grant in holder.claim(250)]:
        holder.fan_out(grant, "1", "child")
    while grants := [grant for grant in other.claim(200) if grant.task == "child"]:
        for grant in grants:
            other.finish(grant)
    assert bench.count("SELECT count(*) FROM runs WHERE state = 'QUEUED' AND resume = -1") == 2000
    bench.trigger_all([new("child") for _ in range(30)])
    assert steps(bench, lambda: other.finish(other.take())) < 3_000
    assert len(holder.claim(256)) == 256


def test_counting_a_limit_of_a_thousand_reads_the_thousand_once(bench: Bench) -> None:
    worker = bench.worker("work@q", queues=[QueueSpec("q", 1000)])
    for _ in range(2):
        bench.trigger_all([new() for _ in range(1000)])
    for _ in range(4):
        worker.claim(249)
    assert steps(bench, lambda: worker.finish(worker.take())) < 1000 * 20


def test_a_batch_of_timers_is_bounded_whatever_is_due(bench: Bench) -> None:
    at = bench.clock.now() + 1000
    for _ in range(5):
        bench.trigger_all([new(known=True, run_at=at) for _ in range(1000)])
    bench.clock.forward(1)
    assert steps(bench, lambda: bench.engine.write(sweep_timers)) < 500 * 1_000
