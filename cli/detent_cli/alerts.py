"""`detent alerts`: who is told of what, and how the messages fare."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from detent_cli.lazy import new_app
from detent_cli.options import AsJson
from detent_cli.project import connected

if TYPE_CHECKING:
    from detent.client import Detent
    from detent.model.alert_views import AlertMade, DeliveryDetail, DeliveryPage

__all__ = ["app"]

PAGE = 100
#: How long a test may be on its way before the command no longer waits for it, and between two looks; seconds.
PATIENCE_S, LOOK_S = 20.0, 0.1

AlertId = Annotated[str, typer.Argument(metavar="ALERT", help="The alert's id, alert_….")]
MessageId = Annotated[str, typer.Argument(metavar="MESSAGE", help="The message's id, msg_….")]
Webhook = Annotated[str | None, typer.Option(metavar="URL", help="Send signed webhooks there.")]
Slack = Annotated[str | None, typer.Option(metavar="URL", help="An incoming webhook of Slack.")]
Email = Annotated[list[str] | None, typer.Option(metavar="ADDRESS", help="Send e-mails; may be repeated.")]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="What it is called.")]
TaskNames = Annotated[list[str] | None, typer.Option("--task", metavar="TASK", help="Runs of it; may be repeated.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Runs with it; may be repeated.")]
Errors = Annotated[
    list[str] | None, typer.Option("--error", metavar="ERROR", help="Failures with this error; may be repeated.")
]
Only = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND", help="Of failures, first_seen or regression; may be repeated."),
]
Queues = Annotated[list[str] | None, typer.Option("--queue", metavar="QUEUE", help="Watch it; may be repeated.")]
Threshold = Annotated[int | None, typer.Option(metavar="N", min=0, help="So many queued runs are still all right.")]
After = Annotated[str | None, typer.Option(metavar="TIME", help="How long a state must last: 2m.")]
Window = Annotated[
    str | None, typer.Option(metavar="TIME", help="Gather events on one matter so long: 1m unless set, 0s for none.")
]

app = new_app("Alerts: who is told of what, and how the messages fare.")


@app.command("list", short_help="The alerts of the environment.")
def list_alerts(as_json: AsJson = False) -> None:
    """The alerts of the environment, oldest first."""
    with connected() as client:
        alerts = client.alerts.list()
    if as_json:
        from detent_cli.console import print_json

        print_json(alerts)
        return
    if not alerts:
        typer.echo("No alerts yet: detent alerts create run.failed --webhook URL", err=True)
        return
    from detent_cli.alert_pages import print_alerts

    print_alerts(alerts)


@app.command("create", short_help="Make an alert.")
def create_alert(
    events: Annotated[
        list[str],
        typer.Argument(
            metavar="EVENT...", help="run.failed, run.completed, deployment.finished, queue.too_long or worker.none."
        ),
    ],
    *,
    webhook: Webhook = None,
    slack: Slack = None,
    email: Email = None,
    name: Name = None,
    task: TaskNames = None,
    tag: Tags = None,
    error: Errors = None,
    only: Only = None,
    queue: Queues = None,
    threshold: Threshold = None,
    after: After = None,
    window: Window = None,
    as_json: AsJson = False,
) -> None:
    """Make an alert with one of --webhook, --slack and --email. The secret of a webhook is shown this once.

    detent alerts create run.failed --only first_seen --only regression --slack https://hooks.slack.com/…
    """
    values: dict[str, Any] = {"email": email or None, "task": task, "tag": tag, "fingerprint": error, "only": only}
    with connected() as client:
        made = client.alerts.create(
            events=events,
            webhook=webhook,
            slack=slack,
            name=name,
            queue=queue,
            threshold=threshold,
            after=after,
            window=window,
            **values,
        )
    _tell(made, as_json)


@app.command("show", short_help="One alert.")
def show_alert(alert: AlertId, as_json: AsJson = False) -> None:
    """One alert: what it is limited to, where its messages go, whether they arrive."""
    with connected() as client:
        found = client.alerts.retrieve(alert)
    if as_json:
        from detent_cli.console import print_json

        print_json(found)
        return
    from detent_cli.alert_pages import print_alert

    print_alert(found)


@app.command("update", short_help="Change an alert, switch it on or off.")
def update_alert(
    alert: AlertId,
    *,
    event: Annotated[
        list[str] | None, typer.Option(metavar="EVENT", help="Instead of its events; may be repeated.")
    ] = None,
    webhook: Webhook = None,
    slack: Slack = None,
    email: Email = None,
    name: Name = None,
    task: TaskNames = None,
    tag: Tags = None,
    error: Errors = None,
    only: Only = None,
    queue: Queues = None,
    threshold: Threshold = None,
    after: After = None,
    window: Window = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Switch it on, or off.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given of an alert.

    detent alerts update alert_0199… --enable
    """
    values: dict[str, Any] = {"email": email or None, "task": task, "tag": tag, "fingerprint": error, "only": only}
    with connected() as client:
        made = client.alerts.update(
            alert,
            events=event or None,
            webhook=webhook,
            slack=slack,
            name=name,
            queue=queue or None,
            threshold=threshold,
            after=after,
            window=window,
            enabled=enabled,
            **{key: value or None for key, value in values.items()},
        )
    _tell(made, as_json)


@app.command("delete", short_help="Remove an alert.")
def delete_alert(alert: AlertId, as_json: AsJson = False) -> None:
    """Remove an alert. Its messages stay in the log until they are 30 days old."""
    with connected() as client:
        gone = client.alerts.delete(alert)
    if as_json:
        from detent_cli.console import print_json

        print_json(gone)
    else:
        typer.echo(f"{gone.id} deleted")


@app.command("rotate-secret", short_help="Make a new secret for a webhook.")
def rotate_secret(alert: AlertId, as_json: AsJson = False) -> None:
    """Make a new secret, shown this once. For 24 hours messages carry the signature of the old one as well."""
    with connected() as client:
        made = client.alerts.rotate_secret(alert)
    _tell(made, as_json)


@app.command("test", short_help="Send a test, and say how it went.")
def send_test(alert: AlertId, as_json: AsJson = False) -> None:
    """Send a message that says that it is a test, once, and say how it went. Exit status 1 when it did not arrive."""
    with connected() as client:
        sent = client.alerts.test(alert)
        ends = time.monotonic() + PATIENCE_S
        while sent.status == "PENDING" and time.monotonic() < ends:
            time.sleep(LOOK_S)
            sent = client.alerts.delivery(sent.id)
    _tell_message(sent, as_json)
    if sent.status == "PENDING":
        typer.echo("Nobody sends it: messages are sent by `detent dev` and `detent server`.", err=True)
    if sent.status != "DELIVERED":
        raise typer.Exit(1)


@app.command("deliveries", short_help="Messages and how they fared, newest first.")
def list_deliveries(
    *,
    alert: Annotated[str | None, typer.Option(metavar="ALERT", help="Those of one alert.")] = None,
    status: Annotated[
        list[str] | None, typer.Option(metavar="STATUS", help="pending, delivered or failed; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Messages to show.")] = 20,
    cursor: Annotated[str | None, typer.Option(metavar="CURSOR", help="Where the page before ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """Messages and how they fared, newest first.

    detent alerts deliveries --status failed
    """
    from detent.model.alert_views import DeliveryPage

    filters: dict[str, Any] = {"alert": alert, "status": status}
    with connected() as client:
        page = _longer(client, DeliveryPage(items=[], next_cursor=cursor), limit, filters)
        while len(page.items) < limit and page.next_cursor is not None:
            page = _longer(client, page, limit, filters)
    if as_json:
        from detent_cli.console import print_json

        print_json(page)
        return
    from detent_cli.alert_pages import print_deliveries

    print_deliveries(page)
    if not page.items:
        fitting = any(filters.values()) or cursor is not None
        typer.echo("No message fits." if fitting else "No messages yet.", err=True)
    elif page.next_cursor is not None:
        typer.echo(f"There are more: --cursor {page.next_cursor}", err=True)


def _longer(client: Detent, page: DeliveryPage, limit: int, filters: dict[str, Any]) -> DeliveryPage:
    """`page` and the one that follows it, at most `limit` messages."""
    most = min(PAGE, limit - len(page.items))
    following = client.alerts.deliveries(limit=most, cursor=page.next_cursor, **filters).page()
    return following.model_copy(update={"items": [*page.items, *following.items]})


@app.command("delivery", short_help="One message: what it said, each of its tries.")
def show_delivery(message: MessageId, as_json: AsJson = False) -> None:
    """One message: what it said, and each of its tries with the beginning of the answer."""
    with connected() as client:
        found = client.alerts.delivery(message)
    _tell_message(found, as_json)


@app.command("replay", short_help="Send a message again, under the same id.")
def replay_delivery(message: MessageId, as_json: AsJson = False) -> None:
    """Send a message again, under the same id, that has arrived or has failed."""
    with connected() as client:
        found = client.alerts.replay(message)
    if as_json:
        from detent_cli.console import print_json

        print_json(found)
    else:
        typer.echo(f"{found.id} {found.status}")


def _tell(made: AlertMade, as_json: bool) -> None:
    if as_json:
        from detent_cli.console import print_json

        print_json(made)
        return
    typer.echo(made.id)
    if made.secret is not None:
        typer.echo(made.secret)
        typer.echo("The second line is the secret that its webhooks are signed with. It is not shown again.", err=True)


def _tell_message(found: DeliveryDetail, as_json: bool) -> None:
    if as_json:
        from detent_cli.console import print_json

        print_json(found)
        return
    from detent_cli.alert_pages import print_delivery

    print_delivery(found)
