"""What a web app does: order a speech, hand out the job's id, answer polls with the job.

In one terminal: detent dev        In another: python order.py [FILE]
"""

import sys
import time
from pathlib import Path

from detent.tts.sync import get_job, start_speech

text = Path(sys.argv[1]).read_text("utf-8") if len(sys.argv) > 1 else "Hello. This was spoken in the background."

job = start_speech(text)
sys.stdout.write(f"{job.id} is {job.status}\n")
while not job.is_finished:
    time.sleep(0.2)
    job = get_job(job.id)
if job.speech is None:
    sys.exit(f"{job.id} failed: {job.error}")
sys.stdout.write(f"{job.id} {job.status}: {job.speech.duration_s} s at {job.speech.audio_url}\n")
