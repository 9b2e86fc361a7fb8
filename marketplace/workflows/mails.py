"""Mails: enqueued in the transaction that causes them, written and sent by the worker."""

from collections.abc import Callable
from email.message import EmailMessage

from marketplace.config.settings import Config
from marketplace.integrations import mail
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import jobs, mailed_tokens
from marketplace.security import tokens

RESET_SECONDS = 30 * 60
VERIFY_SECONDS = 7 * 86_400


def enqueue(conn: Conn, kind: str, email: str, language: str) -> None:
    """Enqueue a mail (mail.KINDS) to the account with this address, if there is one."""
    jobs.enqueue(conn, "send_mail", queue="mail", kind=kind, email=email, language=language)


def send(
    db: Database,
    config: Config,
    deliver: Callable[[EmailMessage], None],
    kind: str,
    email: str,
    language: str,
) -> None:
    """Write a mail and send it, with a fresh token if the kind has one. No mail to an address
    without an account.

    Sent inside the transaction: if it cannot be sent, there is no token, and another try starts
    anew.
    """
    if kind == "email_changed":  # nobody has the address any more
        deliver(mail.written(config, kind, to=email, token="", language=language))
        return
    token = tokens.new_secret()
    seconds = VERIFY_SECONDS if kind == "verify" else RESET_SECONDS
    with db.working() as conn:
        to = mailed_tokens.issue(
            conn, email=email, kind=kind, token_hash=tokens.hashed(token), seconds=seconds
        )
        if to is not None:
            deliver(mail.written(config, kind, to=to["email"], token=token, language=language))
