"""A report out of many articles: one run for each, at most three at a time, tried again while the model is busy."""

from __future__ import annotations

from pydantic import BaseModel
from tasks.model import Busy, Refused, complete

from detent import AbortTaskRunError, Retry, logger, metadata, queue, task

model = queue("model", concurrency_limit=3)


class Article(BaseModel):
    name: str
    text: str


class Request(BaseModel):
    title: str
    articles: list[Article]


class Report(BaseModel):
    title: str
    summaries: dict[str, str]
    left_out: dict[str, str]


@task(id="summarize", queue=model, max_duration="30s", retry=Retry(max_attempts=5))
async def summarize(article: Article) -> str:
    """One sentence that says what the article is about."""
    try:
        summary = await complete(article.text)
    except Refused as error:
        raise AbortTaskRunError(str(error)) from error  # another attempt would not help
    metadata.parent.increment("done")
    return summary


@summarize.catch_error
def come_back_when_asked(error: Exception) -> dict[str, float] | None:
    return {"retry_delay": error.retry_after} if isinstance(error, Busy) else None


@task(id="write-report")
async def write_report(request: Request) -> Report:
    """A summary of every article; those that cannot be summarized are named with the reason."""
    metadata.set("total", len(request.articles))
    results = await summarize.batch_trigger_and_wait(request.articles)
    report = Report(title=request.title, summaries={}, left_out={})
    for article, result in zip(request.articles, results, strict=True):
        if result.ok:
            report.summaries[article.name] = result.unwrap()
        else:
            report.left_out[article.name] = result.error.message if result.error else result.status
    logger.info("report written", summaries=len(report.summaries), left_out=len(report.left_out))
    return report
