"""``connector connection authorize``: let a merchant give consent on the marketplace."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import click

from connector.cli.printing import examples, note
from connector.cli.running import Action, Failed, Stop, with_hub
from connector.flows import consent
from connector.flows.consent import Progress
from connector.flows.hub import Hub

_LOOK_EVERY_S = 1.0


@click.command(
    short_help="Let the merchant give consent on the marketplace.",
    epilog=examples(
        "connector connection authorize acme-mkt-1a2b",
        "connector connection authorize acme-mkt-1a2b --redirected 'https://hub.example.com/...'",
        "connector connection authorize acme-mkt-1a2b --code TG-0a1b2c",
    ),
)
@click.argument("connection_id", metavar="CONNECTION")
@click.option("--code", default="", help="The code that the marketplace showed or sent.")
@click.option(
    "--redirected", default="", metavar="URL", help="The address the browser ended up at."
)
@click.option("--wait/--no-wait", default=True, help="Wait until consent was given.")
def authorize(connection_id: str, code: str, redirected: str, wait: bool) -> None:
    """Print the URL at which the merchant gives consent, and wait until that was done.

    The merchant opens it logged in to the marketplace; the hub takes the answer where it serves.
    Where the marketplace cannot reach the hub, finish by hand: run this once for the URL, then
    again with --redirected or --code, within a quarter of an hour.
    """
    if code and redirected:
        raise Stop("give --code or --redirected, not both")
    action = Action("connection authorize", connection_id)
    if code or redirected:
        given, state = _given(redirected) if redirected else (code, "")
        with_hub(lambda hub: consent.by_hand(hub, connection_id, given, state), action)
        note(f"the marketplace gave access; see connector connection check {connection_id}")
        return

    async def work(hub: Hub) -> tuple[Progress, str]:
        click.echo(await consent.begin(hub, connection_id))
        if not wait:
            return Progress.WAITING, ""
        note("open this address as the merchant; waiting for consent (Ctrl-C stops the wait)")
        return await _ended(hub, connection_id)

    progress, why = with_hub(work, action)
    if progress is Progress.FAILED:
        raise Failed(why)
    if progress is Progress.DONE:
        note(f"the marketplace gave access; see connector connection check {connection_id}")


async def _ended(hub: Hub, connection_id: str) -> tuple[Progress, str]:
    """Look until the consent has come to its end; it does so by its own time limit at the latest.

    The hub that serves takes the marketplace's answer, in its own process.
    """
    while True:
        progress, why = await consent.progress(hub, connection_id)
        if progress in {Progress.DONE, Progress.FAILED}:
            return progress, why
        await hub.clock.sleep(_LOOK_EVERY_S)


def _given(redirected: str) -> tuple[str, str]:
    """Code and state out of the address that the marketplace sent the browser to."""
    query = parse_qs(urlsplit(redirected).query)
    code, state = (query.get(name, [""])[0] for name in ("code", "state"))
    if not (code and state):
        raise Stop("this address carries no code and state: copy it whole, with what follows ?")
    return code, state
