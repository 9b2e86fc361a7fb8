"""Mails to users, and how they are sent: by SMTP; in development to a folder, and shown in the log.

A mail with a code, which is entered in the app, has a link that opens the app with it if APP_URL is
set. Nothing in it was typed by a user, not even a name: anybody can register any name with any
address. What mails about orders say stands in order_mails.py.
"""

import logging
import smtplib
import ssl
import time
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path
from urllib.parse import unquote, urlsplit

import idna

from marketplace.config.settings import Config
from marketplace.text.messages import EVERY, LANGUAGES, Text, say, spoken

#: An attempt, in every step of it.
SECONDS = 10.0
#: The number of mails that are kept for the developer.
KEPT = 1000
#: kind -> subject, the text before and after the code, the page of the app that takes the code if
#: there is one.
KINDS: dict[str, tuple[Text, Text, Text, str | None]] = {
    "reset": (
        say("Your new password"),
        say(
            "Somebody, probably you, requested a new password for this account. Enter this code "
            "in the app within"
            " 30 minutes:"
        ),
        say("If it was not you, do nothing: your password stays as it is."),
        "reset-password",
    ),
    "verify": (
        say("Confirm your address"),
        say("Enter this code in the app within 7 days to confirm that this address is yours:"),
        say("If you have no account with us, somebody has mistyped their address; do nothing."),
        "verify-email",
    ),
    "locked": (
        say("Somebody tries to guess your password"),
        say(
            "Ten wrong passwords in a row were entered for your account. It takes none for a "
            "quarter of an hour,"
            " except from where you have signed in before."
        ),
        say(
            "If it was you, wait, or let the app send you a code for a new password. If not, "
            "your password has"
            " held; a long one goes on doing so."
        ),
        None,
    ),
    "email_changed": (
        say("Your address was changed"),
        say(
            "The e-mail address of your account was changed to another one; mails go there from "
            "now on."
        ),
        say("If it was not you, write to us at once: somebody knows your password."),
        None,
    ),
    "store_suspended": (
        say("Your store was stopped"),
        say(
            "An administrator stopped your store: for now it is not shown, and nobody can buy in "
            "it. What was ordered before may still be paid and sent."
        ),
        say("Your store's page in the app says why. Write to us if you think it is a mistake."),
        None,
    ),
    "store_active": (
        say("Your store is open"),
        say("An administrator let your store go: within some minutes it is shown, and sells."),
        say("What you had hidden yourself stays hidden."),
        None,
    ),
    "password_changed": (
        say("Your password was changed"),
        say("The password of your account was changed, and all other devices were signed out."),
        say("If it was not you, let the app send you a code for a new password at once."),
        None,
    ),
}
log = logging.getLogger("marketplace.mail")


def written(config: Config, kind: str, *, to: str, token: str, language: str) -> EmailMessage:
    """Return a mail of a kind, in a language, or in all of them one below the other (EVERY)."""
    languages = LANGUAGES[::-1] if language == EVERY else (language,)
    subject = " / ".join(KINDS[kind][0].spoken(each) for each in languages)
    lines = [line for each in languages for line in _lines(config, kind, token, each)]
    return _message(config, subject, lines, to, make_msgid(domain="marketplace"))


def letter(
    config: Config,
    subject: str,
    lines: Sequence[str],
    *,
    to: str,
    language: str,
    link: str | None,
    message_id: str,
) -> EmailMessage:
    """Return a mail of these lines, in a language, with a link into the app where APP_URL is set.

    The same `message_id` lets a mailbox show once what was sent twice.
    """
    said = [say("Hello,").spoken(language), "", *(spoken(line, language) for line in lines), ""]
    if link and config.app_url:
        said += [f"    {config.app_url}/{link}", ""]
    return _message(config, spoken(subject, language), said, to, message_id)


def _message(
    config: Config, subject: str, lines: Sequence[str], to: str, message_id: str
) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject
    message["From"] = config.mail_from
    message["To"] = _in_ascii(to)
    message["Date"] = formatdate()
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
    message.set_content("\n".join(lines))
    return message


def _lines(config: Config, kind: str, token: str, language: str) -> list[str]:
    """Return what a mail says, in one language."""
    _, first, last, page = KINDS[kind]
    lines = [say("Hello,").spoken(language), "", first.spoken(language), ""]
    if page is not None:
        lines += [f"    {token}", ""]
        if config.app_url:
            lines += [f"    {config.app_url}/{page}?token={token}", ""]
    return [*lines, last.spoken(language), ""]


def _in_ascii(address: str) -> str:
    """Return the address with its domain as every mail server takes it (IDNA)."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        return address


def deliverer(config: Config) -> Callable[[EmailMessage], None]:
    """Return a function that sends a mail: by SMTP_URL's server, or else to a folder. It raises
    OSError (smtplib's errors are) on failure.
    """
    if not config.smtp_url:
        return lambda message: _keep(config.data_dir / "mail", message)
    return lambda message: _send(config.smtp_url, message)


def _send(url: str, message: EmailMessage) -> None:
    parts = urlsplit(url)
    host, secure = parts.hostname or "localhost", parts.scheme == "smtps"
    context = ssl.create_default_context()
    server: smtplib.SMTP
    if secure:
        server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 587, timeout=SECONDS)
    with server:
        server.ehlo()
        if not secure and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
            secure = True
        if parts.username:
            if not secure and host not in ("localhost", "127.0.0.1", "::1"):
                raise smtplib.SMTPNotSupportedError(
                    "the server offers no encryption; the password is not sent"
                )
            server.login(unquote(parts.username), unquote(parts.password or ""))
        try:
            server.send_message(message)
        except smtplib.SMTPRecipientsRefused as refused:
            codes = [code for code, _ in refused.recipients.values()]
            if any(code < 500 for code in codes):
                raise
            log.warning(
                "no such mailbox", extra={"error": f"SMTP {codes[0]}"}
            )  # permanent: do not retry


def _keep(folder: Path, message: EmailMessage) -> None:
    """Keep a mail for the developer, readable by nobody else: newest last by name."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"{time.time_ns()}.eml"
    file.touch(mode=0o600)
    file.write_bytes(message.as_bytes())
    for old in sorted(folder.glob("*.eml"))[:-KEPT]:
        old.unlink(missing_ok=True)
    log.warning(
        "mail kept in %s\n%s", file, message.get_content(), extra={"subject": message["Subject"]}
    )
