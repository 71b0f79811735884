"""Sizes and counts that are refused beyond (reference trigger-dev.md section 4.3)."""

from __future__ import annotations

#: Largest payload, in bytes of JSON.
PAYLOAD_BYTES = 3 * 1024 * 1024
#: Largest output, in bytes of JSON.
OUTPUT_BYTES = 10 * 1024 * 1024
#: Largest bundle of a deployment, in bytes of the archive.
BUNDLE_BYTES = 100 * 1024 * 1024
#: Payloads and outputs above this go to the object store (DESIGN.md invariant 10).
INLINE_BYTES = 128 * 1024
#: Largest metadata of a run, in bytes of JSON.
METADATA_BYTES = 256 * 1024
#: Items of one batch.
BATCH_ITEMS = 1_000
#: Ids of runs that one bulk action takes.
BULK_IDS = 5_000
#: Tags of a run, and characters of a tag.
TAGS = 10
TAG_CHARS = 128
#: Characters of an idempotency key.
IDEMPOTENCY_KEY_CHARS = 2_048
#: Characters of a debounce key, and the shortest debounce delay, in milliseconds.
DEBOUNCE_KEY_CHARS = 512
MIN_DEBOUNCE_MS = 1_000
#: Characters of a schedule's deduplication key, and of its external id.
SCHEDULE_KEY_CHARS = 512
#: How long an idempotency key is kept, in milliseconds: 30 days.
IDEMPOTENCY_TTL_MS = 30 * 24 * 3_600_000
#: Streams that a run may write, bytes of JSON kept of one, and of one part of it.
STREAMS = 100
STREAM_BYTES = 32 * 1024 * 1024
STREAM_PART_BYTES = 256 * 1024
#: Values sent to a run that it has not read yet, and bytes of JSON of one.
INPUTS = 1_000
INPUT_BYTES = 128 * 1024
#: Characters of a queue name, a task id or a concurrency key.
NAME_CHARS = 128
#: Highest concurrency limit of a queue.
QUEUE_LIMIT = 100_000
#: Most attempts a run may be given.
ATTEMPTS = 250
#: Shortest `max_duration`, in milliseconds.
MIN_DURATION_MS = 1_000
#: Nesting of the JSON of a request.
JSON_DEPTH = 100
#: Bytes of the address of a request with its query; headers, and bytes of all of them together.
URL_BYTES = 8 * 1024
HEADERS = 100
HEADER_BYTES = 32 * 1024
#: Lost leases without progress after which a run is given up (DESIGN.md section 4).
CRASHES = 3
#: Log lines and spans kept of one run; beyond it they are counted, not kept.
LOG_LINES_PER_RUN = 10_000
SPANS_PER_RUN = 5_000
#: Characters kept of one log line.
LOG_LINE_CHARS = 32_768
